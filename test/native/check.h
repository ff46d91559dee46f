// The assertions of the native tests, in one header: a test is a sentence that
// can be false, a failed check prints its place and the run returns non-zero.
// Each *_test.cpp is one executable and includes this header once; it brings
// main(). With an argument, only tests whose sentence contains it are run.
// Checks belong to the main thread.
#pragma once

#include <cmath>
#include <cstdio>
#include <cstring>
#include <exception>
#include <sstream>
#include <string>
#include <vector>

namespace check {

struct Test {
  const char* sentence;
  void (*body)();
};

inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

inline int failures = 0;

struct Registration {
  Registration(const char* sentence, void (*body)()) { tests().push_back({sentence, body}); }
};

inline void fail(const char* file, int line, const std::string& what) {
  ++failures;
  std::printf("%s:%d: %s\n", file, line, what.c_str());
}

template <typename Value>
std::string show(const Value& value) {
  std::ostringstream out;
  if constexpr (requires { out << value; }) out << value;
  return out.str();
}

template <typename A, typename B>
void equal(const A& a, const B& b, const char* text, const char* file, int line) {
  if (!(a == b)) fail(file, line, std::string(text) + ": " + show(a) + " is not " + show(b));
}

inline int run(const char* filter) {
  int ran = 0, failed = 0;
  for (const Test& test : tests()) {
    if (filter != nullptr && std::strstr(test.sentence, filter) == nullptr) continue;
    const int before = failures;
    ++ran;
    try {
      test.body();
    } catch (const std::exception& error) {
      fail(test.sentence, 0, std::string("threw: ") + error.what());
    }
    if (failures != before) std::printf("FAILED: %s\n", test.sentence), ++failed;
  }
  std::printf(failed > 0 ? "%d of %d tests failed\n" : "%d tests passed\n",
              failed > 0 ? failed : ran, ran);
  return failed > 0 || ran == 0 ? 1 : 0;
}

}  // namespace check

#define CHECK_JOIN_(a, b) a##b
#define CHECK_NAME_(a, b) CHECK_JOIN_(a, b)
#define TEST(sentence)                                                   \
  static void CHECK_NAME_(test_, __LINE__)();                            \
  static const check::Registration CHECK_NAME_(registration_, __LINE__){ \
      sentence, CHECK_NAME_(test_, __LINE__)};                           \
  static void CHECK_NAME_(test_, __LINE__)()
#define CHECK(...) \
  ((__VA_ARGS__) ? void() : check::fail(__FILE__, __LINE__, #__VA_ARGS__ " is false"))
#define CHECK_EQ(a, ...) \
  check::equal((a), (__VA_ARGS__), #a " == " #__VA_ARGS__, __FILE__, __LINE__)
#define CHECK_NEAR(a, b, tolerance) CHECK(std::abs((a) - (b)) <= (tolerance))
#define CHECK_THROWS(Type, ...)                                                          \
  do {                                                                                   \
    bool thrown_ = false;                                                                \
    try {                                                                                \
      (void)(__VA_ARGS__);                                                               \
    } catch (const Type&) {                                                              \
      thrown_ = true;                                                                    \
    }                                                                                    \
    if (!thrown_) check::fail(__FILE__, __LINE__, #__VA_ARGS__ " did not throw " #Type); \
  } while (false)

int main(int count, char** arguments) { return check::run(count > 1 ? arguments[1] : nullptr); }
