# The instruction sets of this host, as ggml's options. ggml refuses its own
# `-march=native` together with loadable backends, so the flags are read from
# the kernel and set one by one. Forced into the cache at every configure: a
# build folder carried to another CPU follows the CPU.

# ggml option <- the kernel flags that must all be present.
set(INFERNODE_X86_FEATURES
  "GGML_SSE42:sse4_2"
  "GGML_AVX:avx"
  "GGML_AVX2:avx2"
  "GGML_BMI2:bmi2"
  "GGML_FMA:fma"
  "GGML_F16C:f16c"
  "GGML_AVX_VNNI:avx_vnni"
  "GGML_AVX512:avx512f,avx512cd,avx512vl,avx512dq,avx512bw"
  "GGML_AVX512_VBMI:avx512f,avx512vbmi"
  "GGML_AVX512_VNNI:avx512f,avx512_vnni"
  "GGML_AVX512_BF16:avx512f,avx512_bf16"
  "GGML_AMX_TILE:amx_tile"
  "GGML_AMX_INT8:amx_int8"
  "GGML_AMX_BF16:amx_bf16")

function(infernode_host_cpu_flags result)
  set(flags "")
  if(EXISTS "/proc/cpuinfo")
    file(STRINGS "/proc/cpuinfo" lines REGEX "^flags[ \t]*:" LIMIT_COUNT 1)
    string(REGEX REPLACE "^flags[ \t]*:[ \t]*" "" flags "${lines}")
  endif()
  separate_arguments(flags)
  set(${result} "${flags}" PARENT_SCOPE)
endfunction()

function(infernode_use_host_cpu)
  infernode_host_cpu_flags(flags)
  set(used "")
  foreach(feature IN LISTS INFERNODE_X86_FEATURES)
    string(REPLACE ":" ";" pair "${feature}")
    list(GET pair 0 option)
    list(GET pair 1 needed)
    string(REPLACE "," ";" needed "${needed}")
    set(present ON)
    foreach(flag IN LISTS needed)
      if(NOT flag IN_LIST flags)
        set(present OFF)
      endif()
    endforeach()
    set(${option} ${present} CACHE BOOL "from the host's CPU flags" FORCE)
    if(present)
      list(APPEND used "${option}")
    endif()
  endforeach()
  string(REPLACE "GGML_" "" used "${used}")
  string(REPLACE ";" " " used "${used}")
  message(STATUS "infernode: CPU backend for this host: ${used}")
endfunction()

# Compiles llama.cpp's AMX routines, in the folder of a target that is made of them, behind
# native/cpu/tile_shapes.h, which says why.
set(INFERNODE_TILE_SHAPES "${CMAKE_CURRENT_LIST_DIR}/../native/cpu/tile_shapes.h")
function(infernode_mend_tile_shapes llama folder)
  set_source_files_properties("${llama}/ggml/src/ggml-cpu/amx/mmq.cpp" DIRECTORY "${folder}"
    PROPERTIES COMPILE_OPTIONS "-include;${INFERNODE_TILE_SHAPES}"
    OBJECT_DEPENDS "${INFERNODE_TILE_SHAPES}")
endfunction()
