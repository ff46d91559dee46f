// Checkpoint folders: what is accepted, what is refused and with which words. The numbers are
// those of the table of malformed checkpoints.
#include "checkpoint/checkpoint_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

#include "folder_cases.h"

using namespace infernode;
using namespace folder_cases;

namespace fs = std::filesystem;

TEST("one file's tensors are found by name and read in parts") {
  const TemporaryFolder folder;
  folder.write("model.safetensors", kGood);
  folder.write("config.json", R"({"model_type":"llama"})");
  const CheckpointFolder checkpoint = CheckpointFolder::open(folder.path());
  CHECK_EQ(checkpoint.tensors().size(), 2u);
  CHECK_EQ(checkpoint.tensors()[0].name, "a");
  const StoredTensor* tensor = checkpoint.find("a");
  CHECK(tensor != nullptr && tensor->dtype == TensorDtype::kBf16 && tensor->bytes == 4);
  std::string middle(2, ' ');
  checkpoint.read(*tensor, 1, std::as_writable_bytes(std::span(middle)));
  CHECK_EQ(middle, "bc");
  CHECK_EQ(checkpoint.json("config.json", 100)->at("model_type"), "llama");
  CHECK(!checkpoint.text("tokenizer.json", 100));
  CHECK(checkpoint.find("c") == nullptr);
}

TEST("shards are those that the index lists") {
  const std::string one_tensor = safetensors({{"a", "U8", "[1]", "x"}});
  const std::string other = safetensors({{"b", "U8", "[1]", "x"}});
  const std::string first = "model-00001-of-00002.safetensors";
  const std::string second = "model-00002-of-00002.safetensors";
  const std::string map = "\"a\":\"" + first + "\",\"b\":\"" + second + "\"";
  const auto folder_with = [&](const std::string& text) {
    return std::vector<Files>{
        {"model.safetensors.index.json", text}, {first, one_tensor}, {second, other}};
  };
  run({
      {"a good set", folder_with(index_of(map)), "loaded", ""},
      {"16: a missing shard",
       {{"model.safetensors.index.json", index_of(map)}, {first, one_tensor}},
       "MODEL_NOT_FOUND",
       "model-00002-of-00002.safetensors' does not exist, and model.safe"},
      {"17: a path upwards", folder_with(index_of("\"a\":\"../x.safetensors\"")), "MODEL_CORRUPT",
       "the file '../x.safetensors'"},
      {"17: an absolute path", folder_with(index_of("\"a\":\"/etc/x.safetensors\"")),
       "MODEL_CORRUPT", "the file '/etc/x.safetensors'"},
      {"17: backslashes", folder_with(index_of("\"a\":\"..\\\\x.safetensors\"")), "MODEL_CORRUPT",
       "expected the name of a .safetensors file"},
      {"17: another file", folder_with(index_of("\"a\":\"config.json\"")), "MODEL_CORRUPT",
       "the file 'config.json'"},
      {"17: no text", folder_with(index_of("\"a\":1")), "MODEL_CORRUPT", "for tensor 'a' no file"},
      {"18: a tensor in two shards",
       {{"model.safetensors.index.json", index_of(map)}, {first, one_tensor}, {second, one_tensor}},
       "MODEL_CORRUPT",
       "has tensor 'a', and '"},
      {"19: a tensor of the index that no shard has",
       folder_with(index_of(map + ",\"c\":\"" + first + "\"")), "MODEL_CORRUPT",
       "lists tensor 'c', which model-00001-of-00002.safetensors does not have"},
      {"19: a tensor that the index lacks",
       {{"model.safetensors.index.json", index_of("\"a\":\"" + first + "\"")},
        {first, safetensors({{"a", "U8", "[1]", "x"}, {"z", "U8", "[1]", "x"}})}},
       "MODEL_CORRUPT",
       "has tensor 'z', which"},
      {"19: a tensor in the other shard",
       folder_with(index_of("\"a\":\"" + second + "\",\"b\":\"" + first + "\"")), "MODEL_CORRUPT",
       "says that tensor 'a' is in model-00002-of-00002.safetensors, it is in"},
      {"an index that is a list", folder_with("[]"), "MODEL_CORRUPT", "no JSON object"},
      {"an index without a map", folder_with("{\"metadata\":{}}"), "MODEL_CORRUPT",
       "has no weight_map"},
      {"an empty map", folder_with(index_of("")), "MODEL_CORRUPT", "has an empty weight_map"},
      {"a map that is a list", folder_with("{\"weight_map\":[]}"), "MODEL_CORRUPT", "weight_map"},
      {"a map twice", folder_with("{\"weight_map\":{},\"weight_map\":{}}"), "MODEL_CORRUPT",
       "duplicate key 'weight_map'"},
      {"a tensor twice", folder_with(index_of(map + "," + map)), "MODEL_CORRUPT",
       "names tensor 'a' twice"},
  });
}

TEST("files without an index are taken where there is one choice") {
  const std::string a = safetensors({{"a", "U8", "[1]", "x"}});
  const std::string b = safetensors({{"b", "U8", "[1]", "x"}});
  run({
      {"a complete set",
       {{"model-00001-of-00002.safetensors", a}, {"model-00002-of-00002.safetensors", b}},
       "loaded",
       ""},
      {"20: a set with a gap",
       {{"model-00001-of-00003.safetensors", a}, {"model-00003-of-00003.safetensors", b}},
       "MODEL_NOT_FOUND",
       "lacks shard 2 of 3"},
      {"20: one of several",
       {{"model-00001-of-00002.safetensors", a}},
       "MODEL_NOT_FOUND",
       "lacks shard 2 of 2"},
      {"one file of another name", {{"gptq_model-4bit-128g.safetensors", a}}, "loaded", ""},
      {"two files of other names",
       {{"a.safetensors", a}, {"b.safetensors", b}},
       "MODEL_CORRUPT",
       "several .safetensors files (a.safetensors, b.safetensors)"},
      {"two sets",
       {{"x-00001-of-00001.safetensors", a}, {"y-00001-of-00001.safetensors", b}},
       "MODEL_CORRUPT",
       "several"},
      {"Mistral's own file beside a set",
       {{"model-00001-of-00001.safetensors", a}, {"consolidated.safetensors", b}},
       "loaded",
       ""},
      {"Mistral's own file alone",
       {{"consolidated.safetensors", a}},
       "MODEL_FORMAT_UNSUPPORTED",
       "Mistral's own names"},
      {"an adapter alone",
       {{"adapter_model.safetensors", a}},
       "MODEL_FORMAT_UNSUPPORTED",
       "a LoRA adapter and no model"},
      {"macOS's shadow of a file",
       {{"model.safetensors", a}, {"._model.safetensors", "x"}},
       "loaded",
       ""},
      {"21: pickle files",
       {{"pytorch_model.bin", "x"}, {"config.json", "{}"}},
       "MODEL_FORMAT_UNSUPPORTED",
       "pickle"},
      {"21: a .pt file", {{"awq.pt", "x"}}, "MODEL_FORMAT_UNSUPPORTED", "pickle"},
      {"a GGUF file", {{"m.gguf", "x"}}, "MODEL_FORMAT_UNSUPPORTED", "name that file itself"},
      {"an unfinished download",
       {{"0f.incomplete", "x"}},
       "MODEL_FORMAT_UNSUPPORTED",
       "unfinished download"},
      {"no weights", {{"config.json", "{}"}}, "MODEL_NOT_FOUND", "has no .safetensors file"},
  });
}

TEST("15: a small file is an object of limited size") {
  const TemporaryFolder folder;
  folder.write("model.safetensors", kGood);
  folder.write("list.json", "[]");
  folder.write("large.json", "{\"a\":\"" + std::string(1000, ' ') + "\"}");
  folder.write("twice.json", R"({"a":{"b":1,"b":2}})");
  folder.write("deep.json", "{\"a\":" + nested(40) + "}");
  folder.write("endless.json", nested(100'000).substr(0, 100'000));
  folder.write("huge.json", "{\"a\":1e999}");
  const CheckpointFolder checkpoint = CheckpointFolder::open(folder.path());
  const auto said = [&](const std::string& name) -> std::string {
    try {
      CHECK(!checkpoint.json(name, name == "endless.json" ? 1'000'000 : 200));
    } catch (const Error& error) {
      CHECK_EQ(error_name(error.code()), "MODEL_CORRUPT");
      return std::string(error.what()).substr(folder.path().size() + 2);
    }
    return "";
  };
  CHECK_EQ(said("none.json"), "");
  CHECK_EQ(said("list.json"), "list.json' is not a JSON object.");
  CHECK_EQ(said("large.json"), "large.json' has 1008 bytes, expected at most 200.");
  CHECK_EQ(said("twice.json"), "twice.json': duplicate key 'b' at byte 15");
  CHECK(said("deep.json").find("nesting deeper than 32 levels at byte 37") != std::string::npos);
  CHECK(said("endless.json").find("nesting deeper") != std::string::npos);
  CHECK(said("huge.json").find("huge.json': no valid JSON: ") == 0);
}

TEST("links stay in the folder, or lead to a blob of a hub's cache") {
  const TemporaryFolder root;
  const std::string outside = root.write("outside/model.safetensors", kGood);
  const std::string blob = root.write("hub/models--o--n/blobs/0123", kGood);
  root.write("hub/other/blobs/0123", kGood);
  const auto link = [&](const std::string& folder, const std::string& target) {
    const fs::path path = fs::path(root.path()) / folder;
    fs::create_directories(path);
    fs::create_symlink(target, path / "model.safetensors");
    return path.string();
  };
  const std::string snapshot = link("hub/models--o--n/snapshots/abc", "../../blobs/0123");
  CHECK_EQ(opened(snapshot).first, "loaded");
  CHECK_EQ(opened(link("by-hand", blob)).first, "loaded");
  root.write("inside/real.safetensors", kGood);
  CHECK_EQ(opened(link("inside", "real.safetensors")).first, "loaded");
  fs::create_directory_symlink(snapshot, root.path() + "/alias");
  CHECK_EQ(opened(root.path() + "/alias").first, "loaded");
  refuses("17: outside", link("a", "../outside/model.safetensors"), "MODEL_UNREADABLE",
          "a symbolic link that leaves the folder");
  refuses("17: absolute", link("b", outside), "MODEL_UNREADABLE", "leaves the folder");
  refuses("17: blobs of no hub", link("c", "../hub/other/blobs/0123"), "MODEL_UNREADABLE",
          "leaves the folder");
  refuses("nowhere", link("d", "nothing"), "MODEL_UNREADABLE", "leads nowhere");
  refuses("a circle", link("e", "model.safetensors"), "MODEL_UNREADABLE", "leads nowhere");
  refuses("a beginning that is alike", link("f", "../f-other/model.safetensors"),
          "MODEL_UNREADABLE", "");
}

TEST("what is no regular file is refused without opening it") {
  const TemporaryFolder root;
  fs::create_directories(root.path() + "/a/model.safetensors");
  refuses("a directory", root.path() + "/a", "MODEL_UNREADABLE",
          "model.safetensors' is a directory");
  fs::create_directories(root.path() + "/b");
  CHECK_EQ(mkfifo((root.path() + "/b/model.safetensors").c_str(), 0600), 0);
  refuses("a pipe", root.path() + "/b", "MODEL_UNREADABLE", "is a named pipe");
  const std::string file = root.write("c", "");
  refuses("a file instead of a folder", file, "MODEL_UNREADABLE", "is not a directory");
  refuses("nothing", root.path() + "/none", "MODEL_NOT_FOUND", "does not exist");
  if (geteuid() == 0) return;  // may read everything
  const std::string closed = root.write("d/model.safetensors", kGood);
  chmod(closed.c_str(), 0);
  refuses("no permission", root.path() + "/d", "MODEL_UNREADABLE", "Permission denied");
}

TEST("62: a file that changes between header and data is noticed") {
  const auto after = [](const std::function<void(const std::string&)>& change) -> std::string {
    const TemporaryFolder folder;
    const std::string path = folder.write("model.safetensors", kGood);
    const CheckpointFolder checkpoint = CheckpointFolder::open(folder.path());
    change(path);
    std::string data(16, ' ');
    try {
      checkpoint.read(*checkpoint.find("b"), 0, std::as_writable_bytes(std::span(data)));
    } catch (const Error& error) {
      return std::string(error_name(error.code())) + " " + error.what();
    }
    return data;
  };
  const std::string shorter =
      after([](const std::string& path) { fs::resize_file(path, fs::file_size(path) - 15); });
  CHECK(shorter.find("MODEL_TRUNCATED") == 0 && shorter.find("tensor 'b'") != std::string::npos);
  const std::string longer =
      after([](const std::string& path) { std::ofstream(path, std::ios::app) << "x"; });
  CHECK(longer.find("MODEL_UNREADABLE") == 0 && longer.find("was changed") != std::string::npos);
  const std::string touched = after([](const std::string& path) {
    fs::last_write_time(path, fs::last_write_time(path) + std::chrono::seconds(5));
  });
  CHECK(touched.find("MODEL_UNREADABLE") == 0);
  // Replaced by another file: what was opened is still there.
  CHECK_EQ(after([](const std::string& path) {
             std::ofstream(path + ".new") << "another";
             fs::rename(path + ".new", path);
           }),
           std::string(16, 'b'));
}
