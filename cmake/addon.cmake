# fused_adamw.node. cmake-js passes where Node's headers are; without it, the npm packages that carry them are asked.
find_program(NODE_EXECUTABLE NAMES node nodejs REQUIRED)

function(node_package_include out package)
  execute_process(
    COMMAND ${NODE_EXECUTABLE} -p "require('${package}').include_dir"
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
    OUTPUT_VARIABLE path OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  file(REAL_PATH "${path}" path BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  set(${out} ${path} PARENT_SCOPE)
endfunction()

node_package_include(addon_api_include node-addon-api)
if(CMAKE_JS_VERSION)
  set(node_include ${CMAKE_JS_INC})
else()
  node_package_include(node_include node-api-headers)
endif()

gypi_list(addon_files "${target_binding}" direct_dependent_settings sources)
list(TRANSFORM addon_files PREPEND native/)
gypi_list(addon_defines "${flags}" variables addon_defines)
add_library(fused_adamw MODULE ${addon_files} ${CMAKE_JS_SRC})
set_target_properties(fused_adamw PROPERTIES PREFIX "" SUFFIX ".node")
target_include_directories(fused_adamw SYSTEM PRIVATE ${node_include} ${addon_api_include})
target_compile_options(fused_adamw PRIVATE ${common_flags})
target_compile_definitions(fused_adamw PRIVATE ${addon_defines} ${common_defines})
target_link_libraries(fused_adamw PRIVATE adamw_core ${CMAKE_JS_LIB})

if(APPLE)
  # Node itself provides the Node-API symbols when it loads the addon.
  target_link_options(fused_adamw PRIVATE -undefined dynamic_lookup)
elseif(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  gypi_list(linux_link_flags "${flags}" variables linux_link_flags)
  target_link_options(fused_adamw PRIVATE ${linux_link_flags})
elseif(MSVC AND CMAKE_JS_NODELIB_DEF AND CMAKE_JS_NODELIB_TARGET)
  # The import library of node.exe is made from the list of Node-API symbols instead of being downloaded.
  execute_process(
    COMMAND ${CMAKE_AR} /def:${CMAKE_JS_NODELIB_DEF} /out:${CMAKE_JS_NODELIB_TARGET} ${CMAKE_STATIC_LINKER_FLAGS}
            COMMAND_ERROR_IS_FATAL ANY)
endif()
