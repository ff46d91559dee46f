# Our routines in front of ggml's (docs/decisions/0021, 0023, 0058), in every CPU backend of the
# build: upstream's are compiled under other names, their sources untouched. Beside each
# lies a library of the same name in bin/unmodified, made of the same sources with the same
# flags but without our routines: what "the same as llama.cpp" is measured by. Only tests
# and benchmarks load it, and only they have it built (target infernode_unmodified).
# Needs ggml's targets, and INFERNODE_CPU_KERNELS.
set(ggml_cpu "${INFERNODE_LLAMA_DIR}/ggml/src/ggml-cpu")
add_custom_target(infernode_unmodified)

# Gives the routine `name` of the upstream file `file` the name `renamed` in `target`.
function(infernode_rename_upstream target file name renamed)
  get_target_property(folder ${target} SOURCE_DIR)
  get_target_property(sources ${target} SOURCES)
  if(NOT "ggml-cpu/${file}" IN_LIST sources OR NOT EXISTS "${ggml_cpu}/${file}")
    message(FATAL_ERROR "${target} is not made of ggml-cpu/${file}: native/cpu stands in front of its ${name}().")
  endif()
  set_source_files_properties("${ggml_cpu}/${file}" DIRECTORY "${folder}"
    PROPERTIES COMPILE_DEFINITIONS "${name}=${renamed}")
endfunction()

# The target's twin. The new names above hold in the target's own folder only.
function(infernode_add_unmodified target)
  get_target_property(folder ${target} SOURCE_DIR)
  get_target_property(sources ${target} SOURCES)
  list(TRANSFORM sources PREPEND "${folder}/" REGEX "^ggml-cpu/")
  add_library(${target}-unmodified MODULE EXCLUDE_FROM_ALL ${sources})
  foreach(property IN ITEMS COMPILE_DEFINITIONS COMPILE_OPTIONS COMPILE_FEATURES
      INCLUDE_DIRECTORIES LINK_LIBRARIES C_STANDARD C_STANDARD_REQUIRED C_EXTENSIONS
      CXX_STANDARD CXX_STANDARD_REQUIRED CXX_EXTENSIONS)
    get_target_property(value ${target} ${property})
    if(NOT value STREQUAL "value-NOTFOUND")
      set_property(TARGET ${target}-unmodified PROPERTY ${property} ${value})
    endif()
  endforeach()
  foreach(property IN ITEMS COMPILE_DEFINITIONS COMPILE_OPTIONS)
    get_directory_property(value DIRECTORY "${folder}" ${property})
    set_property(TARGET ${target}-unmodified APPEND PROPERTY ${property} ${value})
  endforeach()
  set_target_properties(${target}-unmodified PROPERTIES
    OUTPUT_NAME "infernode-${target}-${INFERNODE_LLAMA_PIN}"
    LIBRARY_OUTPUT_DIRECTORY "${INFERNODE_BIN_DIR}/unmodified"
    INSTALL_RPATH "$ORIGIN/..")
  add_dependencies(infernode_unmodified ${target}-unmodified)
endfunction()

# ggml's list of backends is cached and may name one of an earlier configuration.
set(cpu_targets ggml-cpu ${GGML_AVAILABLE_BACKENDS})
list(FILTER cpu_targets INCLUDE REGEX "^ggml-cpu")
list(REMOVE_DUPLICATES cpu_targets)
set(cpu_backends 0)
foreach(target IN LISTS cpu_targets)
  if(TARGET ${target})
    math(EXPR cpu_backends "${cpu_backends} + 1")
    infernode_add_unmodified(${target})
    get_target_property(folder ${target} SOURCE_DIR)
    foreach(scope IN ITEMS "${folder}" "${CMAKE_CURRENT_SOURCE_DIR}") # the target's, its twin's
      infernode_mend_tile_shapes("${INFERNODE_LLAMA_DIR}" "${scope}")
    endforeach()
    infernode_rename_upstream(${target} amx/amx.cpp ggml_is_contiguous infernode_amx_is_contiguous)
    infernode_rename_upstream(${target} amx/mmq.cpp
      ggml_backend_amx_mul_mat infernode_upstream_amx_mul_mat)
    infernode_rename_upstream(${target} llamafile/sgemm.cpp llamafile_sgemm infernode_upstream_sgemm)
    infernode_rename_upstream(${target} ops.cpp
      ggml_compute_forward_flash_attn_ext infernode_upstream_flash_attn_ext)
    infernode_rename_upstream(${target} repack.cpp ggml_n_dims infernode_repacked_dimensions)
    infernode_rename_upstream(${target} traits.cpp
      ggml_cpu_extra_compute_forward infernode_upstream_extra_compute_forward)
    get_target_property(sources ${target} SOURCES)
    if("ggml-cpu/arch/x86/quants.c" IN_LIST sources)
      infernode_rename_upstream(${target} arch/x86/quants.c
        quantize_row_q8_K infernode_upstream_quantize_row_q8_K)
    endif()
    if(NOT "ggml-cpu/ggml-cpu.c" IN_LIST sources)
      message(FATAL_ERROR "${target} is not made of ggml-cpu/ggml-cpu.c, which native/cpu/llama_pool.c includes.")
    endif()
    list(REMOVE_ITEM sources "ggml-cpu/ggml-cpu.c") # native/cpu/llama_pool.c includes it
    set_property(TARGET ${target} PROPERTY SOURCES ${sources})
    target_sources(${target} PRIVATE ${INFERNODE_CPU_KERNELS})
  endif()
endforeach()
if(cpu_backends EQUAL 0)
  message(FATAL_ERROR "llama.cpp's build has no CPU backend, which native/cpu is compiled into.")
endif()
