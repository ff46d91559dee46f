# The addon's side of the build: where the Node-API headers come from, and how
# a .node is linked. cmake-js passes the headers in CMAKE_JS_INC; node-gyp's
# build passes INFERNODE_NODE_API_INCLUDE; a plain cmake finds the installed
# node-api-headers. No Node headers are ever downloaded.
if(CMAKE_JS_INC AND CMAKE_JS_VERSION)
  set(infernode_node_include ${CMAKE_JS_INC})
elseif(INFERNODE_NODE_API_INCLUDE)
  set(infernode_node_include ${INFERNODE_NODE_API_INCLUDE})
else()
  set(infernode_node_include "${PROJECT_SOURCE_DIR}/node_modules/node-api-headers/include")
endif()

# node-addon-api may lie in a package's own node_modules or above it.
find_path(INFERNODE_NODE_ADDON_API napi.h NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH PATHS
  "${PROJECT_SOURCE_DIR}/node_modules/node-addon-api"
  "${PROJECT_SOURCE_DIR}/../node-addon-api")
find_path(infernode_node_api_h node_api.h NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH NO_CACHE
  PATHS ${infernode_node_include})
if(NOT INFERNODE_NODE_ADDON_API OR NOT infernode_node_api_h)
  message(FATAL_ERROR "node_api.h or napi.h is missing; run `npm ci` first, or configure with -DINFERNODE_ADDON=OFF.")
endif()

function(infernode_node_addon target)
  add_library(${target} MODULE ${ARGN})
  infernode_own_code(${target})
  set_target_properties(${target} PROPERTIES PREFIX "" SUFFIX ".node" OUTPUT_NAME "infernode")
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/native")
  # Not ours to warn about.
  target_include_directories(${target} SYSTEM PRIVATE
    ${infernode_node_include} "${INFERNODE_NODE_ADDON_API}")
  # While an environment ends (worker.terminate()), every call into it fails
  # with an error that cannot be thrown: it is dropped instead of aborting.
  target_compile_definitions(${target} PRIVATE NAPI_VERSION=9 NODE_ADDON_API_CPP_EXCEPTIONS_ALL
    NODE_ADDON_API_DISABLE_DEPRECATED NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS)
  if(APPLE)
    target_link_options(${target} PRIVATE "LINKER:-undefined,dynamic_lookup")
  else()
    # nodelete: ggml keeps our log callback after the worker thread that loaded
    # the addon has ended and Node has called dlclose.
    set(exports "${PROJECT_SOURCE_DIR}/cmake/addon.exports")
    target_link_options(${target} PRIVATE "LINKER:-z,nodelete" "LINKER:--exclude-libs,ALL"
      "LINKER:--version-script=${exports}")
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS "${exports}")
  endif()
endfunction()
