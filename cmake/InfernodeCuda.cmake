# Which GPUs the CUDA backend is built for, and with which parts of which toolkit: judged by
# tools/setup/cuda-build.mjs alone. The set-up passes its answer as CMAKE_CUDA_ARCHITECTURES
# and the toolkit's paths; a build configured by hand names INFERNODE_CUDA_ARCHITECTURES and gets
# the answer here, or sets CMake's own variables, which needs no Node.
set(INFERNODE_CUDA_ARCHITECTURES "" CACHE STRING
  "80,90, native, all or runpod; empty: CMAKE_CUDA_ARCHITECTURES and CMake's toolkit")
option(INFERNODE_CUDA_NCCL "CUDA on several GPUs: build with NCCL" OFF)

if(INFERNODE_CUDA AND INFERNODE_CUDA_ARCHITECTURES)
  find_program(INFERNODE_NODE node)
  if(NOT INFERNODE_NODE)
    message(FATAL_ERROR "INFERNODE_CUDA_ARCHITECTURES is judged by Node.js, which is not on the PATH; set CMAKE_CUDA_ARCHITECTURES instead.")
  endif()
  set(nccl "")
  if(INFERNODE_CUDA_NCCL)
    set(nccl --nccl)
  endif()
  string(REPLACE ";" "," architectures "${INFERNODE_CUDA_ARCHITECTURES}")
  set(answer "${PROJECT_BINARY_DIR}/infernode-cuda.cmake")
  execute_process(
    COMMAND "${INFERNODE_NODE}" "${PROJECT_SOURCE_DIR}/tools/setup/cuda-cmake.mjs" "${architectures}" "${answer}" ${nccl}
    ERROR_VARIABLE said RESULT_VARIABLE status)
  string(STRIP "${said}" said)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${said}")
  endif()
  message(STATUS "${said}")
  include("${answer}")
elseif(INFERNODE_CUDA AND NOT CMAKE_CUDA_ARCHITECTURES AND DEFINED ENV{CMAKE_CUDA_ARCHITECTURES})
  set(CMAKE_CUDA_ARCHITECTURES "$ENV{CMAKE_CUDA_ARCHITECTURES}" CACHE STRING "" FORCE)
endif()
