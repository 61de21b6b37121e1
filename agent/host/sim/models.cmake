# SPDX-License-Identifier: Apache-2.0
# Builds the NIC models into agent_host_sim: one generated C file that holds
# each models/*.json as bytes, so that nothing is looked up at run time. Also
# run as a script (cmake -P) by the rule below.
if(CMAKE_SCRIPT_MODE_FILE)
    set(body "/* Made by models.cmake. */\n#include \"agent/host/sim/model.h\"\n\n")
    set(table "")
    file(GLOB FILES ${FOLDER}/*.json)
    list(SORT FILES)
    foreach(file ${FILES})
        get_filename_component(name ${file} NAME_WE)
        string(MAKE_C_IDENTIFIER ${name} symbol)
        file(READ ${file} hex HEX)
        string(LENGTH "${hex}" digits)
        math(EXPR length "${digits} / 2")
        string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
        string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n    " hex "${hex}")
        string(APPEND body "static const char ${symbol}[] = {\n    ${hex}0};\n")
        string(APPEND table "    {\"${name}\", ${symbol}, ${length}},\n")
    endforeach()
    string(APPEND body "const struct sim_model_file sim_model_files[] = {\n${table}};\n")
    string(APPEND body "const size_t sim_model_file_count =\n    sizeof sim_model_files / sizeof *sim_model_files;\n")
    file(WRITE ${OUTPUT} "${body}")
    return()
endif()

file(GLOB sim_models CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/agent/host/sim/models/*.json)
set(sim_models_c ${CMAKE_BINARY_DIR}/generated/sim_models.c)
add_custom_command(OUTPUT ${sim_models_c}
    COMMAND ${CMAKE_COMMAND} -DFOLDER=${CMAKE_SOURCE_DIR}/agent/host/sim/models -DOUTPUT=${sim_models_c}
        -P ${CMAKE_SOURCE_DIR}/agent/host/sim/models.cmake
    DEPENDS ${sim_models} ${CMAKE_SOURCE_DIR}/agent/host/sim/models.cmake
    VERBATIM)
target_sources(agent_host_sim PRIVATE ${sim_models_c})
