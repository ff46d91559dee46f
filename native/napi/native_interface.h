// The version of the calls that src/native.ts describes. Raised in the same change as native.ts and
// src/native-interface.ts; src/native-addon.ts refuses an addon with another version;
// test/native-interface.test.ts fails when it must be raised.
#pragma once

namespace infernode {

constexpr const char* kNativeInterface = "infernode native interface 11";

}  // namespace infernode
