# llama.cpp's chat templates, Jinja interpreter and JSON-schema code as one
# static library. Upstream's own target would become a shared library that exports
# everything and also holds its argument parser and downloader; these sources
# alone do, at half the compile time.
set(common "${INFERNODE_LLAMA_DIR}/common")
include("${common}/parsers/sources.cmake") # sets LLAMA_CHAT_PARSERS_SOURCES

add_library(infernode_llama_chat STATIC EXCLUDE_FROM_ALL
  ${LLAMA_CHAT_PARSERS_SOURCES}
  "${common}/chat-auto-parser-generator.cpp"
  "${common}/chat-auto-parser-helpers.cpp"
  "${common}/chat-diff-analyzer.cpp"
  "${common}/chat-peg-parser.cpp"
  "${common}/chat.cpp"
  "${common}/common.cpp"
  "${common}/json-schema-to-grammar.cpp"
  "${common}/json-schema.cpp"
  "${common}/json.cpp"
  "${common}/log.cpp"
  "${common}/peg-parser.cpp"
  "${common}/reasoning-budget.cpp"
  "${common}/trie.cpp"
  "${common}/unicode.cpp"
  "${common}/jinja/caps.cpp"
  "${common}/jinja/lexer.cpp"
  "${common}/jinja/parser.cpp"
  "${common}/jinja/runtime.cpp"
  "${common}/jinja/string.cpp"
  "${common}/jinja/value.cpp")

# Build information is compiled in by upstream's template; ours names the pin.
set(LLAMA_BUILD_NUMBER 0)
set(LLAMA_BUILD_COMMIT "${INFERNODE_LLAMA_PIN}")
set(BUILD_COMPILER "${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}")
set(BUILD_TARGET "${CMAKE_SYSTEM_NAME} ${CMAKE_SYSTEM_PROCESSOR}")
configure_file("${common}/build-info.cpp.in" "${PROJECT_BINARY_DIR}/llama-build-info.cpp")
target_sources(infernode_llama_chat PRIVATE "${PROJECT_BINARY_DIR}/llama-build-info.cpp")

target_compile_features(infernode_llama_chat PRIVATE cxx_std_17)
target_include_directories(infernode_llama_chat SYSTEM PUBLIC "${common}" "${INFERNODE_LLAMA_DIR}/vendor")
target_link_libraries(infernode_llama_chat PUBLIC llama)
# Unused functions fall out of the program, and none of the rest is exported.
target_compile_options(infernode_llama_chat PRIVATE -ffunction-sections -fdata-sections)
target_link_options(infernode_llama_chat INTERFACE "LINKER:--gc-sections" "LINKER:--exclude-libs,ALL")
set_target_properties(infernode_llama_chat PROPERTIES
  CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
