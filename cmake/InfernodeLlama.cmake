# llama.cpp from its pinned tree, unmodified: shared libraries with private,
# unversioned names and loadable backends. Private, because another addon in
# the same process may bring a libggml-base.so of its own; unversioned, because
# npm packages cannot carry the symlinks a versioned name needs.
# Defines the targets `llama`, `ggml`, `ggml-base`, and `runtime_files`: the
# files that must lie beside the addon.
include(InfernodeCpu)

file(READ "${PROJECT_SOURCE_DIR}/third_party/llama.cpp.json" pin_json)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
  "${PROJECT_SOURCE_DIR}/third_party/llama.cpp.json")
string(JSON INFERNODE_LLAMA_VERSION GET "${pin_json}" version)
if(NOT INFERNODE_LLAMA_TREE)
  string(JSON INFERNODE_LLAMA_TREE GET "${pin_json}" tree)
endif()
# The suffix of the private library names.
string(SUBSTRING "${INFERNODE_LLAMA_TREE}" 0 8 INFERNODE_LLAMA_PIN)

# The names of all architectures this tree knows, for the judge of model files.
# Written only when they change: what includes them would be compiled again.
function(infernode_list_architectures header)
  set(table "${INFERNODE_LLAMA_DIR}/src/llama-arch.cpp")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${table}")
  file(STRINGS "${table}" lines REGEX "^ *{ LLM_ARCH_[A-Z0-9_]+, *\"[^(]")
  set(names "")
  foreach(line IN LISTS lines)
    string(REGEX REPLACE "^[^\"]*(\"[^\"]*\").*" "  \\1,\n" name "${line}")
    string(APPEND names "${name}")
  endforeach()
  list(LENGTH lines count)
  if(count LESS 50)
    message(FATAL_ERROR "${table} names ${count} architectures; expected its table of more than 50.")
  endif()
  file(CONFIGURE OUTPUT "${header}" CONTENT "// Made by cmake from llama.cpp's llama-arch.cpp.\n@names@" @ONLY)
endfunction()
infernode_list_architectures("${PROJECT_BINARY_DIR}/generated/llama_architectures.inc")

# Libraries made by another build of this tree (the sanitizer build takes the
# release build's): copied here, so that `$ORIGIN` holds for them too.
if(INFERNODE_LLAMA_PREBUILT)
  foreach(folder IN ITEMS "" "/unmodified") # the second: see InfernodeCpuKernels.cmake
    file(GLOB prebuilt "${INFERNODE_LLAMA_PREBUILT}${folder}/libinfernode-*-${INFERNODE_LLAMA_PIN}.so")
    if(NOT prebuilt)
      message(FATAL_ERROR "${INFERNODE_LLAMA_PREBUILT}${folder} holds no libraries of the tree ${INFERNODE_LLAMA_PIN}.")
    endif()
    file(COPY ${prebuilt} DESTINATION "${INFERNODE_BIN_DIR}${folder}")
  endforeach()
  foreach(name IN ITEMS ggml-base ggml llama)
    add_library(${name} SHARED IMPORTED)
    set_target_properties(${name} PROPERTIES
      IMPORTED_LOCATION "${INFERNODE_BIN_DIR}/libinfernode-${name}-${INFERNODE_LLAMA_PIN}.so"
      INTERFACE_INCLUDE_DIRECTORIES "${INFERNODE_LLAMA_DIR}/include;${INFERNODE_LLAMA_DIR}/ggml/include"
      INTERFACE_COMPILE_DEFINITIONS "LLAMA_SHARED;GGML_SHARED;GGML_BACKEND_SHARED")
  endforeach()
  set_target_properties(ggml PROPERTIES INTERFACE_LINK_LIBRARIES ggml-base)
  set_target_properties(llama PROPERTIES INTERFACE_LINK_LIBRARIES ggml)
  return()
endif()

if(NOT EXISTS "${INFERNODE_LLAMA_DIR}/include/llama.h")
  message(FATAL_ERROR "llama.cpp's sources are not in ${INFERNODE_LLAMA_DIR}; `npm run build` brings them.")
endif()

# Cache entries, because the subproject's own option() calls read the cache.
function(infernode_llama_option name value)
  set(${name} "${value}" CACHE STRING "set by infernode" FORCE)
endfunction()

infernode_llama_option(BUILD_SHARED_LIBS ON)
infernode_llama_option(GGML_BACKEND_DL ON)
infernode_llama_option(GGML_NATIVE OFF)
infernode_llama_option(GGML_OPENMP OFF)
infernode_llama_option(GGML_CCACHE OFF)
infernode_llama_option(GGML_CPU_ALL_VARIANTS ${INFERNODE_CPU_ALL_VARIANTS})
infernode_llama_option(GGML_CUDA ${INFERNODE_CUDA})
infernode_llama_option(GGML_CUDA_GRAPHS ON)
infernode_llama_option(GGML_VULKAN ${INFERNODE_VULKAN})
infernode_llama_option(LLAMA_ALL_WARNINGS OFF)
infernode_llama_option(LLAMA_BUILD_COMMON OFF)
infernode_llama_option(LLAMA_OPENSSL OFF)
infernode_llama_option(LLAMA_SUBPROCESS OFF)
# Build information comes from the pin: asking git would compile the commit of
# whatever repository encloses the sources into ggml, and change with it.
infernode_llama_option(LLAMA_BUILD_NUMBER 0)
infernode_llama_option(LLAMA_BUILD_COMMIT "${INFERNODE_LLAMA_PIN}")
infernode_llama_option(GIT_EXE "")
if(NOT INFERNODE_CPU_ALL_VARIANTS AND NOT CMAKE_CROSSCOMPILING)
  infernode_use_host_cpu()
endif()
include(InfernodeCuda)
# Without several GPUs it is a library more to find at load, for nothing.
infernode_llama_option(GGML_CUDA_NCCL ${INFERNODE_CUDA_NCCL})

add_subdirectory("${INFERNODE_LLAMA_DIR}" "${PROJECT_BINARY_DIR}/llama.cpp" EXCLUDE_FROM_ALL)

include(InfernodeCpuVariants)
include(InfernodeCpuKernels)

# Private names. ggml's list of the backends it has added is cached and may
# name one of an earlier configuration.
set(runtime_files "")
foreach(target IN ITEMS ggml-base ggml llama ${GGML_AVAILABLE_BACKENDS})
  if(TARGET ${target})
    set_target_properties(${target} PROPERTIES
      OUTPUT_NAME "infernode-${target}-${INFERNODE_LLAMA_PIN}"
      LIBRARY_OUTPUT_DIRECTORY "${INFERNODE_BIN_DIR}")
    # Without these two there is one file, and its name is its soname.
    set_property(TARGET ${target} PROPERTY VERSION)
    set_property(TARGET ${target} PROPERTY SOVERSION)
    string(APPEND runtime_files "$<TARGET_FILE:${target}>\n")
  endif()
endforeach()

# `cmake --build .build/release --target llama-simple`: upstream's smallest
# program on these very libraries, for the parity test. It finds the CPU
# backend through GGML_BACKEND_PATH, since its own search knows public names.
add_subdirectory("${INFERNODE_LLAMA_DIR}/examples/simple"
  "${PROJECT_BINARY_DIR}/llama-simple" EXCLUDE_FROM_ALL)
