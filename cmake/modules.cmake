# SPDX-License-Identifier: Apache-2.0
# sriov_module(FOLDER LIBS...): the static library FOLDER (slashes as
# underscores) of the folder's .c files without main.c.
function(sriov_module folder)
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.c)
    list(FILTER sources EXCLUDE REGEX "/main\\.c$")
    string(REPLACE "/" "_" name ${folder})
    if(NOT sources)
        add_library(${name} INTERFACE)
        target_link_libraries(${name} INTERFACE sriov_flags ${ARGN})
        return()
    endif()
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC sriov_flags ${ARGN})
endfunction()

# sriov_program(NAME MAIN LIBS...)
function(sriov_program name main)
    if(NOT EXISTS ${CMAKE_SOURCE_DIR}/${main})
        return()
    endif()
    add_executable(${name} ${CMAKE_SOURCE_DIR}/${main})
    target_link_libraries(${name} PRIVATE ${ARGN})
    install(TARGETS ${name} RUNTIME DESTINATION sbin)
endfunction()

# sriov_tests(FOLDER LABEL LIBS...): each FOLDER/**/test_*.c is one test
# program, built with everything below LIBS.
function(sriov_tests folder label)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS
        ${CMAKE_SOURCE_DIR}/tests/${folder}/test_*.c)
    foreach(source ${sources})
        file(RELATIVE_PATH name ${CMAKE_SOURCE_DIR}/tests ${source})
        string(REGEX REPLACE "\\.c$" "" name ${name})
        string(REPLACE "/" "-" name ${name})
        add_executable(${name} ${source})
        set_target_properties(${name} PROPERTIES
            RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
        target_link_libraries(${name} PRIVATE PkgConfig::CHECK ${ARGN})
        add_test(NAME ${name} COMMAND ${name}
            WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
        set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT 300
            SKIP_RETURN_CODE 77
            ENVIRONMENT "SRIOV_BIN=${CMAKE_BINARY_DIR}/bin")
    endforeach()
endfunction()
