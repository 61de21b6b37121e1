# SPDX-License-Identifier: Apache-2.0
# All compiler flags, carried by one INTERFACE target.
add_library(sriov_flags INTERFACE)
target_include_directories(sriov_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(sriov_flags INTERFACE _GNU_SOURCE
    SRIOV_VERSION="${PROJECT_VERSION}")
target_compile_options(sriov_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow
    -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wformat=2
    -Wundef -Wnull-dereference -Wpointer-arith -Wcast-qual -Wwrite-strings
    -Wimplicit-fallthrough -Wswitch-enum -Wvla
    -fstack-protector-strong -fstack-clash-protection -fPIE -fno-omit-frame-pointer)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    # format-truncation fires on honest bounded snprintf.
    target_compile_options(sriov_flags INTERFACE -Wlogical-op -Wduplicated-cond
        -Wduplicated-branches -Wno-format-truncation)
else()
    # gcc's cast-qual and clang's differ on (uintptr_t); the rest is the same.
    target_compile_options(sriov_flags INTERFACE -Wno-gnu-statement-expression)
endif()
if(SRIOV_WERROR)
    target_compile_options(sriov_flags INTERFACE -Werror)
endif()
if(CMAKE_BUILD_TYPE MATCHES "Rel")
    target_compile_definitions(sriov_flags INTERFACE _FORTIFY_SOURCE=2)
endif()
target_link_options(sriov_flags INTERFACE -pie -Wl,-z,relro,-z,now)
