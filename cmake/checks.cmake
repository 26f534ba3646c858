# Checks of the house as tests: floors, words, scripts. They need Python and no build.
if(STILLWATCH_TESTS)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  foreach(check check_includes tidy)
    add_test(NAME house.${check} COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/tools/${check}.py ${CMAKE_SOURCE_DIR})
  endforeach()
  foreach(check check_includes tidy demo)
    add_test(NAME house.${check}_test COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/tools/${check}_test.py)
  endforeach()
  add_test(NAME house.quality_bench_test COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/bench/quality_test.py)
  add_test(NAME house.gateway_bench_test COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/bench/gateway_test.py)
endif()

# The command line, end to end, over small simulated worlds.
if(STILLWATCH_TESTS)
  # Preloaded to end the program at a chosen point; sanitizers want to be loaded first themselves.
  if(NOT STILLWATCH_SANITIZE)
    add_library(crash_points MODULE ${CMAKE_SOURCE_DIR}/tests/e2e/crash_points.cc)
    target_link_libraries(crash_points PRIVATE stillwatch_flags ${CMAKE_DL_LIBS})
    set(crash_points STILLWATCH_CRASH_POINTS=$<TARGET_FILE:crash_points>)
  endif()
  foreach(suite replay answers bad_input interruption quality keys)
    add_test(NAME e2e.${suite} COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/tests/e2e/${suite}_test.py)
    set_tests_properties(e2e.${suite} PROPERTIES TIMEOUT 300
      ENVIRONMENT "STILLWATCH_BINARY=$<TARGET_FILE:stillwatch>;${crash_points}")
  endforeach()
endif()

# The official API clients against the model server, and against the gateway in front of it. Skipped where Node or the
# clients are not installed (tools/setup_sdk.sh).
if(STILLWATCH_TESTS)
  foreach(suite model_server gateway gateway_remedies demo/live)
    add_test(NAME sdk.${suite} COMMAND ${CMAKE_SOURCE_DIR}/tests/sdk/run.sh ${suite}.test.mjs)
    set_tests_properties(sdk.${suite} PROPERTIES TIMEOUT 300
      SKIP_RETURN_CODE 77
      ENVIRONMENT "STILLWATCH_BINARY=$<TARGET_FILE:stillwatch>")
  endforeach()
endif()

# The gateway as a program: real sockets, signals, faults, and nginx and Prometheus where they are installed.
if(STILLWATCH_TESTS)
  foreach(suite replay signals upstream wire scarcity peers tail secret)
    add_test(NAME e2e.gateway_${suite}
      COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/tests/e2e/gateway_${suite}_test.py)
    set_tests_properties(e2e.gateway_${suite} PROPERTIES TIMEOUT 300
      ENVIRONMENT "STILLWATCH_BINARY=$<TARGET_FILE:stillwatch>;${crash_points}")
  endforeach()
endif()
