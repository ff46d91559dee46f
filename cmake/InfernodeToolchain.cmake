# What every target of this build shares: where outputs lie, how run paths are
# written, the compiler cache, and the flags of our own code. llama.cpp's
# targets get the first three only; our warnings and sanitizers never reach it.

# One folder for libraries, addon, tests and tools, so that `$ORIGIN` finds
# everything from everywhere, in the build tree and in a package alike.
set(INFERNODE_BIN_DIR "${PROJECT_BINARY_DIR}/bin")
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${INFERNODE_BIN_DIR}")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${INFERNODE_BIN_DIR}")
set(CMAKE_BUILD_WITH_INSTALL_RPATH ON)
set(CMAKE_INSTALL_RPATH "$ORIGIN")
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_EXTENSIONS OFF)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

# cmake-js adds this to every C++ command line. Nothing here reads it, and
# without it the drivers share one set of object files.
string(REPLACE "-DBUILDING_NODE_EXTENSION" "" CMAKE_CXX_FLAGS "${CMAKE_CXX_FLAGS}")
string(STRIP "${CMAKE_CXX_FLAGS}" CMAKE_CXX_FLAGS)

# Paths below this folder are cached relative to it: a second clone hits.
set(INFERNODE_CCACHE_BASE "${PROJECT_SOURCE_DIR}" CACHE PATH "holds all sources and the build folder")
find_program(INFERNODE_CCACHE ccache)
if(INFERNODE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(launcher "${CMAKE_COMMAND}" -E env
    "CCACHE_BASEDIR=${INFERNODE_CCACHE_BASE}" CCACHE_NOHASHDIR=1 "${INFERNODE_CCACHE}")
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${launcher})
endif()

find_package(Threads REQUIRED)

set(INFERNODE_SANITIZE_FLAGS "")
if(INFERNODE_SANITIZE STREQUAL "address")
  set(INFERNODE_SANITIZE_FLAGS -fsanitize=address,undefined -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
elseif(INFERNODE_SANITIZE STREQUAL "thread")
  set(INFERNODE_SANITIZE_FLAGS -fsanitize=thread -fno-omit-frame-pointer)
elseif(INFERNODE_SANITIZE)
  message(FATAL_ERROR "INFERNODE_SANITIZE is '${INFERNODE_SANITIZE}'; it takes 'address' or 'thread'.")
endif()

# Flags of our own code. Hidden visibility: the addon exports two functions.
# gcc 12 reports -Wrestrict in std::string itself (its bug 105329).
function(infernode_own_code target)
  target_compile_features(${target} PRIVATE cxx_std_20)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow
    -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-qual -Wconversion
    -Wno-sign-conversion $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict> ${INFERNODE_SANITIZE_FLAGS})
  if(INFERNODE_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  target_link_options(${target} PRIVATE ${INFERNODE_SANITIZE_FLAGS})
  set_target_properties(${target} PROPERTIES
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
endfunction()

# A static library of our own.
function(infernode_own_library target)
  add_library(${target} STATIC ${ARGN})
  target_include_directories(${target} PUBLIC "${PROJECT_SOURCE_DIR}/native")
  infernode_own_code(${target})
endfunction()
