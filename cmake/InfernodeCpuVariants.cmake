# Which of llama.cpp's CPU variants this build makes. Upstream lists one per CPU generation,
# whatever the compiler knows. A variant whose flags the compiler refuses is left out, and its
# name and flags are written to cpu-variants-left-out.txt, which `npm run package` prints. So
# is, without a word, one that INFERNODE_CPU_VARIANTS does not name. Upstream's target stays,
# because ggml depends on it: emptied, and outside the folder that is searched for backends.
# Takes the variants out of GGML_AVAILABLE_BACKENDS.
include(CheckCXXCompilerFlag)

function(infernode_empty_variant target)
  set(empty "${PROJECT_BINARY_DIR}/left-out/empty.cpp")
  file(CONFIGURE OUTPUT "${empty}" CONTENT "")
  foreach(property IN ITEMS COMPILE_OPTIONS COMPILE_DEFINITIONS LINK_LIBRARIES)
    set_property(TARGET ${target} PROPERTY ${property})
  endforeach()
  set_target_properties(${target} PROPERTIES SOURCES "${empty}"
    LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/left-out")
endfunction()

# The flags that choose the variant's instruction set, e.g. "-mavx2 -mfma".
function(infernode_variant_flags target result)
  get_target_property(flags ${target} COMPILE_OPTIONS)
  list(FILTER flags INCLUDE REGEX "^-m")
  list(JOIN flags " " flags)
  set(${result} "${flags}" PARENT_SCOPE)
endfunction()

set(left_out "")
# ggml's list of backends is cached and may name one of an earlier configuration.
foreach(target IN LISTS GGML_AVAILABLE_BACKENDS)
  if(NOT TARGET ${target} OR NOT target MATCHES "^ggml-cpu-(.*)$")
    continue()
  endif()
  set(variant "${CMAKE_MATCH_1}")
  set(taken OFF)
  if(NOT INFERNODE_CPU_VARIANTS OR variant IN_LIST INFERNODE_CPU_VARIANTS)
    infernode_variant_flags(${target} flags)
    string(MAKE_C_IDENTIFIER "INFERNODE_COMPILER_TAKES ${flags}" known)
    set(CMAKE_REQUIRED_QUIET ON)
    check_cxx_compiler_flag("${flags}" ${known})
    set(taken "${${known}}")
    if(NOT taken)
      string(APPEND left_out
        "${variant}: ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION} refuses ${flags}\n")
    endif()
  endif()
  if(NOT taken)
    infernode_empty_variant(${target})
    list(REMOVE_ITEM GGML_AVAILABLE_BACKENDS ${target})
  endif()
endforeach()
file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/cpu-variants-left-out.txt" CONTENT "${left_out}")
