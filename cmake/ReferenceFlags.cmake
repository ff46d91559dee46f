# Included into llama.cpp's own build by tools/setup/build-reference.mjs: the
# instruction sets our build uses, so that a comparison compares programs, not
# compiler flags.
include("${CMAKE_CURRENT_LIST_DIR}/InfernodeCpu.cmake")
infernode_use_host_cpu()
set(GGML_NATIVE OFF CACHE BOOL "" FORCE)
