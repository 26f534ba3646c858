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

# FOLDER.SUITE runs tests/FOLDER/SUITE_test.py for each of SUITES.
function(stillwatch_scripts folder)
  cmake_parse_arguments(S "" "TIMEOUT" "SUITES;ENVIRONMENT" ${ARGN})
  foreach(suite ${S_SUITES})
    add_test(NAME ${folder}.${suite} COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/tests/${folder}/${suite}_test.py)
    set_tests_properties(${folder}.${suite} PROPERTIES TIMEOUT ${S_TIMEOUT} ENVIRONMENT "${S_ENVIRONMENT}"
      LABELS script)
  endforeach()
endfunction()
set(binary STILLWATCH_BINARY=$<TARGET_FILE:stillwatch>)

# The command line, end to end, over small simulated worlds.
if(STILLWATCH_TESTS)
  # Preloaded to end the program at a chosen point; sanitizers want to be loaded first themselves.
  if(NOT STILLWATCH_SANITIZE)
    add_library(crash_points MODULE ${CMAKE_SOURCE_DIR}/tests/e2e/crash_points.cc)
    target_link_libraries(crash_points PRIVATE stillwatch_flags ${CMAKE_DL_LIBS})
    set(crash_points STILLWATCH_CRASH_POINTS=$<TARGET_FILE:crash_points>)
  endif()
  stillwatch_scripts(e2e TIMEOUT 300 ENVIRONMENT ${binary} ${crash_points}
    SUITES replay answers bad_input interruption quality keys)
endif()

# The official API clients against the model server, and against the gateway in front of it. Skipped where Node or the
# clients are not installed (tools/setup_npm.sh tests/sdk).
if(STILLWATCH_TESTS)
  foreach(suite model_server gateway gateway_remedies demo/live)
    add_test(NAME sdk.${suite} COMMAND ${CMAKE_SOURCE_DIR}/tests/sdk/run.sh ${suite}.test.mjs)
    set_tests_properties(sdk.${suite} PROPERTIES TIMEOUT 300
      SKIP_RETURN_CODE 77
      ENVIRONMENT ${binary})
  endforeach()
endif()

# The gateway as a program: real sockets, signals, faults, and nginx and Prometheus where they are installed.
if(STILLWATCH_TESTS)
  stillwatch_scripts(e2e TIMEOUT 300 ENVIRONMENT ${binary} ${crash_points}
    SUITES gateway_replay gateway_signals gateway_upstream gateway_wire gateway_scarcity gateway_peers gateway_tail
      gateway_secret)
endif()

# The audit log against programs that we did not write, and under faults of the disk. What needs Go or Node skips
# without them (tools/setup.sh conformance, tools/setup_npm.sh tests/ledger/sigstore).
if(STILLWATCH_TESTS)
  add_executable(ledger_writer ${CMAKE_SOURCE_DIR}/tests/ledger/ledger_writer.cc)
  target_link_libraries(ledger_writer PRIVATE stillwatch_ledger)
  set(ledger_environment "LEDGER_WRITER=$<TARGET_FILE:ledger_writer>")
  if(NOT STILLWATCH_SANITIZE)
    add_library(disk_faults MODULE ${CMAKE_SOURCE_DIR}/tests/ledger/disk_faults.cc)
    target_link_libraries(disk_faults PRIVATE stillwatch_flags ${CMAKE_DL_LIBS})
    list(APPEND ledger_environment "LEDGER_DISK_FAULTS=$<TARGET_FILE:disk_faults>")
  endif()
  find_program(GO go)
  if(GO AND EXISTS /usr/share/gocode/src/golang.org/x/mod/sumdb/tlog)
    set(verifier ${CMAKE_BINARY_DIR}/tlog_verify)
    add_custom_command(OUTPUT ${verifier}
      COMMAND ${CMAKE_COMMAND} -E env GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE=${CMAKE_BINARY_DIR}/go_cache
        ${GO} build -o ${verifier} ${CMAKE_SOURCE_DIR}/tools/tlog_verify/main.go
      DEPENDS ${CMAKE_SOURCE_DIR}/tools/tlog_verify/main.go)
    add_custom_target(tlog_checker ALL DEPENDS ${verifier})
    list(APPEND ledger_environment "TLOG_VERIFY=${verifier}")
  endif()
  add_executable(audit_writer ${CMAKE_SOURCE_DIR}/tests/ledger/audit_writer.cc)
  target_link_libraries(audit_writer PRIVATE stillwatch_audit)
  list(APPEND ledger_environment "AUDIT_WRITER=$<TARGET_FILE:audit_writer>")
  stillwatch_scripts(ledger TIMEOUT 600 ENVIRONMENT ${ledger_environment} SUITES conformance faults sigstore anchor)
  stillwatch_scripts(e2e TIMEOUT 600 ENVIRONMENT ${binary} ${ledger_environment} SUITES ledger_replay ledger_gateway)
endif()

# The audit log's commands: checking, proving, evidence, erasure, decisions made again. What only the Go checker can say
# is skipped where golang-go and golang-golang-x-mod-dev are not installed.
if(STILLWATCH_TESTS)
  stillwatch_scripts(e2e TIMEOUT 600 ENVIRONMENT ${binary} SUITES ledger_commands ledger_evidence ledger_live
                     ledger_states)
endif()
