# ESP-IDF's first reading of a component: as a script, only to learn what it requires. Prints the words after REQUIRES.
#   cmake -DESP_PLATFORM=1 -DCOMPONENT=FOLDER -P requirements.cmake
macro(idf_component_register)
    cmake_parse_arguments(registered "" "" "SRCS;INCLUDE_DIRS;PRIV_INCLUDE_DIRS;REQUIRES;PRIV_REQUIRES" ${ARGN})
    return()                                     # of the component's file, as there
endmacro()

function(read_component)
    include("${COMPONENT}/CMakeLists.txt")
    set(REQUIRES "${registered_REQUIRES}" PARENT_SCOPE)
endfunction()

# A component may not do here what only a project can.
foreach(command project add_library add_subdirectory install option)
    macro(${command})
        message(FATAL_ERROR "the component calls a command of projects before idf_component_register")
    endmacro()
endforeach()

read_component()
message(STATUS "REQUIRES ${REQUIRES}")
