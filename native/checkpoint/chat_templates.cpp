#include "checkpoint/chat_templates.h"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/folder_files.h"
#include "checkpoint/vocabulary.h"

namespace infernode {

namespace {

constexpr std::size_t kMostTemplateBytes = 1u << 20;
constexpr std::size_t kMostConfigBytes = 16u << 20;
constexpr std::size_t kMostTemplates = 64;
constexpr const char* kDefault = "default";

using Templates = std::map<std::string, std::string>;

bool is_name(const std::string& name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

void add(Templates& templates, const std::string& name, std::string text,
         const std::string& label) {
  if (!is_name(name)) {
    refuse_tokenizer(label, "the chat template's name " + shown_text(name) +
                                " must have letters, digits, '_' and '-' only.");
  }
  if (text.size() > kMostTemplateBytes || text.find('\0') != std::string::npos) {
    refuse_tokenizer(label, "the chat template " + shown_text(name) + " must have at most " +
                                std::to_string(kMostTemplateBytes) + " bytes and no NUL.");
  }
  if (templates.size() == kMostTemplates) refuse_tokenizer(label, "has too many chat templates.");
  if (!templates.emplace(name, std::move(text)).second)
    refuse_tokenizer(label, "has two chat templates named " + shown_text(name) + ".");
}

// "chat_template": a string, a list of {name, template}, or an object of them.
Templates templates_of(const Json& json, const std::string& label) {
  Templates templates;
  const Json* value = member(json, "chat_template");
  if (value == nullptr) return templates;
  if (value->is_string()) {
    add(templates, kDefault, value->get<std::string>(), label);
  } else if (value->is_array()) {
    for (const Json& entry : *value) {
      const auto name = text_member(entry, "name", label);
      const auto text = text_member(entry, "template", label);
      if (!name || !text)
        refuse_tokenizer(label, "each of several chat templates must have a name and a template.");
      add(templates, *name, *text, label);
    }
  } else {
    refuse_tokenizer(label, "chat_template must be a string or a list of {name, template}.");
  }
  return templates;
}

std::string content_of(const OpenFile& file) {
  if (file.bytes() > kMostTemplateBytes) {
    refuse_tokenizer(file.path(), "must have at most " + std::to_string(kMostTemplateBytes) +
                                      " bytes, as a chat template.");
  }
  std::string text(file.bytes(), '\0');
  file.read(0, std::as_writable_bytes(std::span(text)), "it");
  return text;
}

void read_additional(const CheckpointFolder& folder, Templates& templates) {
  const std::string path = folder.label("additional_chat_templates");
  std::error_code none;
  if (!std::filesystem::is_directory(path, none)) return;
  const FolderFiles files(path);
  for (const std::string& file_name : files.names()) {
    if (!file_name.ends_with(".jinja")) continue;
    const auto file = files.open(file_name);
    if (file) add(templates, file_name.substr(0, file_name.size() - 6), content_of(*file), path);
  }
}

Templates read_files(const CheckpointFolder& folder) {
  Templates templates;
  if (auto text = folder.text("chat_template.jinja", kMostTemplateBytes))
    add(templates, kDefault, std::move(*text), folder.label("chat_template.jinja"));
  read_additional(folder, templates);
  return templates;
}

Templates read_templates(const CheckpointFolder& folder) {
  Templates templates = read_files(folder);
  for (const char* name : {"chat_template.json", "tokenizer_config.json"}) {
    if (!templates.empty()) break;
    if (const auto json = folder.json(name, kMostConfigBytes))
      templates = templates_of(*json, folder.label(name));
  }
  return templates;
}

}  // namespace

void write_chat_templates(const CheckpointFolder& folder, GgufWriter& header) {
  Templates templates = read_templates(folder);
  if (const auto usual = templates.find(kDefault); usual != templates.end()) {
    header.text("tokenizer.chat_template", usual->second);
    templates.erase(usual);
  }
  if (templates.empty()) return;
  std::vector<std::string> names;
  for (const auto& [name, text] : templates) {
    names.push_back(name);
    header.text("tokenizer.chat_template." + name, text);
  }
  header.texts("tokenizer.chat_templates", names);
}

}  // namespace infernode
