# Included into llama.cpp's own build by tools/setup/build-reference.mjs: the
# instruction sets our build uses, so that a comparison compares programs, not
# compiler flags.
include("${CMAKE_CURRENT_LIST_DIR}/InfernodeCpu.cmake")
infernode_use_host_cpu()
set(GGML_NATIVE OFF CACHE BOOL "" FORCE)
# Once, at the end of the outermost of its projects: ggml's folder is known then.
if(CMAKE_CURRENT_SOURCE_DIR STREQUAL CMAKE_SOURCE_DIR)
  cmake_language(DEFER CALL infernode_mend_tile_shapes "${CMAKE_SOURCE_DIR}" "${CMAKE_SOURCE_DIR}/ggml/src")
endif()
