// Headers of safetensors files: what is accepted, what is refused and with which words. The
// numbers are those of the table of malformed checkpoints.
#include "checkpoint/checkpoint_folder.h"

#include <sys/resource.h>

#include <array>

#include "folder_cases.h"

using namespace infernode;
using namespace folder_cases;

namespace {

const std::string dtype = "\"dtype\":\"F32\",", shape = "\"shape\":[2],";
const std::string offsets = "\"data_offsets\":[0,8]";

const std::vector<Case> kRefused = {
    {"1: an empty file", single(""), "MODEL_TRUNCATED", "it has 0 bytes"},
    {"1: seven bytes", single("1234567"), "MODEL_TRUNCATED", "it has 7 bytes"},
    {"2: a header of no bytes", single(safetensors_file("", "")), "MODEL_TRUNCATED", "8 bytes"},
    {"2: a header of no bytes, and data", single(safetensors_file("", "12345678")), "MODEL_CORRUPT",
     "would have 0 bytes"},
    {"2: a header beyond the file", single(kGood.substr(0, 60)), "MODEL_TRUNCATED",
     "ends inside its header"},
    {"2: a header over 100 MB", single(std::string("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10)),
     "MODEL_CORRUPT", "18446744073709551615 bytes"},
    {"3: not UTF-8", single(safetensors_file("{\"\xff\":{}}", "")), "MODEL_CORRUPT",
     "ill-formed UTF-8"},
    {"3: not JSON", single(safetensors_file("{\"a\":", "")), "MODEL_CORRUPT", "no valid JSON"},
    {"3: two values", single(safetensors_file("{}{}", "")), "MODEL_CORRUPT", "no valid JSON"},
    {"3: a list", single(safetensors_file("[1]", "")), "MODEL_CORRUPT", "no JSON object"},
    {"3: a number", single(safetensors_file("12", "")), "MODEL_CORRUPT", "no JSON object"},
    {"3: a tensor twice", single(safetensors({{"a", "U8", "[1]", "x"}, {"a", "U8", "[1]", "x"}})),
     "MODEL_CORRUPT", "has tensor 'a' twice"},
    {"3: a field twice", single(one(dtype + dtype + shape + offsets)), "MODEL_CORRUPT",
     "tensor 't' has a field twice"},
    {"3: nested deeper than 32", single(safetensors_file("{\"a\":" + nested(64) + "}", "")),
     "MODEL_CORRUPT", ""},
    {"3: a name of no text", single(safetensors({{"a\\u0000b", "U8", "[1]", "x"}})),
     "MODEL_CORRUPT", "no plain text"},
    {"3: metadata that are no texts", single(safetensors_file(R"({"__metadata__":{"a":1}})", "")),
     "MODEL_CORRUPT", "__metadata__ is not an object of strings"},
    {"4: no dtype", single(one(shape + offsets)), "MODEL_CORRUPT", "tensor 't' has no dtype"},
    {"4: no shape", single(one(dtype + offsets)), "MODEL_CORRUPT", "tensor 't' has no shape"},
    {"4: no offsets", single(one(dtype + "\"shape\":[2]")), "MODEL_CORRUPT",
     "tensor 't' has no data_offsets"},
    {"4: a tensor that is a text", single(safetensors_file(R"({"t":"x"})", "")), "MODEL_CORRUPT",
     "tensor 't' is not an object"},
    {"4: a tensor that is a list", single(safetensors_file(R"({"t":[]})", "")), "MODEL_CORRUPT",
     "tensor 't'"},
    {"4: a dtype that is a number", single(one("\"dtype\":1," + shape + offsets)), "MODEL_CORRUPT",
     "tensor 't' has a dtype that is not a string"},
    {"4: a shape that is a number", single(one(dtype + "\"shape\":2," + offsets)), "MODEL_CORRUPT",
     "tensor 't' has a field that is not a list"},
    {"4: a shape of texts", single(one(dtype + "\"shape\":[\"2\"]," + offsets)), "MODEL_CORRUPT",
     "tensor 't' has a shape that is not a list of integers"},
    {"4: a shape of fractions", single(one(dtype + "\"shape\":[2.0]," + offsets)), "MODEL_CORRUPT",
     "tensor 't' has a shape that is not a list of integers"},
    {"4: a shape of shapes", single(one(dtype + "\"shape\":[[2]]," + offsets)), "MODEL_CORRUPT",
     "tensor 't' has a list in an unexpected place"},
    {"4: one offset", single(one(dtype + shape + "\"data_offsets\":[8]")), "MODEL_CORRUPT",
     "tensor 't' has data_offsets that are not two integers"},
    {"4: three offsets", single(one(dtype + shape + "\"data_offsets\":[0,8,8]")), "MODEL_CORRUPT",
     "tensor 't' has more than two data_offsets"},
    {"4: an unknown field", single(one(dtype + shape + offsets + ",\"x\":1")), "MODEL_CORRUPT",
     "tensor 't' has an unknown field 'x'"},
    {"5: it begins after its end", single(one(dtype + shape + "\"data_offsets\":[8,0]")),
     "MODEL_CORRUPT", "tensor 't' begins after its end"},
    {"6: beyond the file", single(kGood.substr(0, kGood.size() - 1)), "MODEL_TRUNCATED",
     "ends too early: tensor 'a' needs"},
    {"6: offsets near 2^64",
     single(one("\"dtype\":\"U8\",\"shape\":[1],"
                "\"data_offsets\":[18446744073709551614,18446744073709551615]")),
     "MODEL_CORRUPT", "tensor 't' has data_offsets beyond 2^64"},
    {"7: overlapping",
     single(safetensors_file(R"({"a":{"dtype":"U8","shape":[6],"data_offsets":[0,6]},)"
                             R"("b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
                             "12345678")),
     "MODEL_CORRUPT", "overlapping data: tensor 'b'"},
    {"7: twice the same range",
     single(safetensors_file(R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},)"
                             R"("b":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})",
                             "12345678")),
     "MODEL_CORRUPT", "overlapping data"},
    {"8: a hole",
     single(safetensors_file(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                             R"("b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
                             "12345678")),
     "MODEL_CORRUPT", "a hole of 2 bytes before tensor 'b'"},
    {"8: bytes behind the last", single(kGood + "x"), "MODEL_CORRUPT",
     "1 bytes behind its last tensor"},
    {"9: a shape of other bytes", single(one(dtype + "\"shape\":[3]," + offsets)), "MODEL_CORRUPT",
     "tensor 't' has 8 bytes, expected 12"},
    {"9: a shape over 2^64",
     single(one(dtype + "\"shape\":[1099511627776,1099511627776]," + offsets)), "MODEL_CORRUPT",
     "tensor 't' has a shape of more than 2^64 bits"},
    {"10: a negative dimension", single(one(dtype + "\"shape\":[-2]," + offsets)), "MODEL_CORRUPT",
     "tensor 't' has a shape that is not a list of integers"},
    {"10: a dimension over 2^40", single(one(dtype + "\"shape\":[1099511627777]," + offsets)),
     "MODEL_CORRUPT", "tensor 't' has a dimension of 1099511627777"},
    {"10: nine dimensions", single(one(dtype + "\"shape\":[1,1,1,1,1,1,1,1,2]," + offsets)),
     "MODEL_CORRUPT", "tensor 't' has more than 8 dimensions"},
    {"11: a dtype that is none", single(one("\"dtype\":\"F33\"," + shape + offsets)),
     "MODEL_CORRUPT", "tensor 't' has the unknown dtype 'F33'"},
    {"12: an LFS pointer",
     single("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"), "MODEL_CORRUPT",
     "git lfs pull"},
    {"12: a Xet pointer", single("# xet version 0\nfilesize = 5\nhash = '00'\n"), "MODEL_CORRUPT",
     "Xet pointer"},
    {"12: a web page", single("<!doctype html><html>"), "MODEL_CORRUPT", "web page"},
    {"12: a GGUF file", single(std::string("GGUF\3\0\0\0\0\0\0\0", 12)), "MODEL_CORRUPT",
     "It is a GGUF file"},
    {"12: a pickle file", single("PK\x03\x04 and so on"), "MODEL_CORRUPT", "pickle"},
    {"12: zeros", single(std::string(100, '\0')), "MODEL_CORRUPT", "all zeros"},
    {"13: a tensor of no elements", single(one(dtype + "\"shape\":[0]," + offsets)),
     "MODEL_CORRUPT", "tensor 't' has a dimension of 0"},
    {"no tensors", single(safetensors_file("{}", "")), "MODEL_CORRUPT", "has no tensors"},
};

}  // namespace

TEST("headers that no safetensors file has are refused") { run(kRefused); }

TEST("14: a million tensors are refused, in bounded memory") {
  std::string header = "{";
  for (int i = 0; i < 1'000'001; ++i) {
    header += (i > 0 ? ",\"" : "\"") + std::to_string(i) +
              "\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[" + std::to_string(i) + "," +
              std::to_string(i + 1) + "]}";
  }
  const TemporaryFolder folder;
  folder.write("model.safetensors", safetensors_file(header + "}", ""));
  refuses("14", folder.path(), "MODEL_CORRUPT", "more than 1000000 tensors");
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  CHECK(usage.ru_maxrss < 600 * 1024);  // kB; the header alone is 70 MB, this test holds it too
#endif
}

TEST("good headers of every kind load") {
  const std::array<std::string, 6> kHeaders = {
      safetensors({{"scalar", "F32", "[]", "1234"}}),
      safetensors({{"a", "F8_E4M3", "[3]", "abc"}, {"b", "F4", "[2,2]", "xy"}}),
      safetensors_file(R"({"__metadata__":{"format":"pt"},"t":{"data_offsets":[0,8],"shape":[4,2],)"
                       R"("dtype":"BOOL"}}    )",
                       "12345678"),
      safetensors_file(
          R"({"t":{"dtype":"I8","shape":[8],"data_offsets":[0,8]},"__metadata__":null})",
          "12345678"),
      safetensors_file(R"({"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]},)"
                       R"("a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})",
                       "12345678"),
      safetensors({{"mod\\u00e8le.\xc3\xa9", "I64", "[1]", "12345678"}}),
  };
  for (const std::string& bytes : kHeaders) {
    const TemporaryFolder folder;
    folder.write("model.safetensors", bytes);
    CHECK_EQ(opened(folder.path()).second, "");
  }
}
