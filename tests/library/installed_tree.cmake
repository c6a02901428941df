#Installs the project into a prefix of its own and uses it from there as a newcomer would : every header alone, the
#examples through find_package and, where pkg - config is there, without CMake, each example run.Called by ctest:
#cmake - D BUILD =… - D SOURCE =… - D CXX =… - D CC =… - D SANITIZE =… - P installed_tree.cmake
cmake_minimum_required(VERSION 3.25)
set(work ${BUILD}/installed_tree)
set(prefix ${work}/prefix)
file(REMOVE_RECURSE ${work})

#Runs a command that must succeed; its output is in `output` then.
macro(must)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE errors)
  if(NOT result EQUAL 0)
    string(JOIN " " command ${ARGV})
    message(FATAL_ERROR "${command}\nended with ${result}\n${output}${errors}")
  endif()
endmacro()

function(must_print pattern)
  if(NOT output MATCHES "${pattern}")
    message(FATAL_ERROR "expected output that matches: ${pattern}\ngot: ${output}")
  endif()
endfunction()

must(${
  CMAKE_COMMAND} --install ${
  BUILD} --prefix ${prefix})
file(GLOB library ${prefix}/lib*/libroformer.so ${prefix}/lib*/*/libroformer.so)

# Nothing but the interface is visible: not our own classes, not those of the packages we use.
must(nm -D --defined-only ${library})
string(REGEX MATCHALL "[^\n]+" symbols "${output}")
foreach(symbol IN LISTS symbols)
  if(NOT symbol MATCHES " (roformer_[a-z_]+|_ZNK?8roformer2v0(13TextTokenizer|9TextModel|21MaskedLanguageTrainer|5Error|7version)[0-9A-Za-z_]+|_ZT[ISV]N8roformer2v05ErrorE)$")
    message(FATAL_ERROR "libroformer.so shows ${symbol}")
  endif()
endforeach()

# Every header stands alone; those of the C interface in both languages.
file(GLOB headers RELATIVE ${prefix}/include ${prefix}/include/roformer/*.h)
foreach(header IN LISTS headers)
  file(WRITE ${work}/alone.cc "#include <${header}>\n")
  must(${CXX} -std=c++20 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I${prefix}/include ${work}/alone.cc)
endforeach()
foreach(header roformer/roformer.h roformer/export.h)
  file(WRITE ${work}/alone.c "#include <${header}>\ntypedef int not_empty;\n")
  must(${CC} -std=c99 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I${prefix}/include ${work}/alone.c)
endforeach()

set(flags "-Wall -Wextra -Wpedantic -Werror")
if(SANITIZE)
  string(APPEND flags " -fsanitize=${SANITIZE}")
endif()
must(${CMAKE_COMMAND} -S ${SOURCE}/examples -B ${work}/examples -DCMAKE_PREFIX_PATH=${prefix}
  -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_C_COMPILER=${CC} -DCMAKE_CXX_FLAGS=${flags} -DCMAKE_C_FLAGS=${flags})
must(${CMAKE_COMMAND} --build ${work}/examples --parallel 2)

# A model of our own, then each example on it.
set(text ${work}/proverbs.txt)
file(WRITE ${text} "a wise son makes a glad father\na soft answer turns away wrath\npride goes before a fall\n"
  "iron sharpens iron\na merry heart does good like a medicine\n")
must(${prefix}/bin/roformer train-tokenizer --type wordpiece --vocab-size 120 --lowercase --input ${text}
  --output ${work}/tokenizer)
set(examples ${work}/examples)
must(${examples}/train ${work}/tokenizer ${text} ${work}/model 20)
must_print("before: loss [0-9.]+\nafter 20 steps: loss [0-9.]+, accuracy [0-9.]+ %\n$")
must(${examples}/tokenize ${work}/model "Iron [MASK]" "iron")
must_print("^ +2  segment 0  \\[ 0,  0\\)  \\[CLS\\]\n.*segment 0  \\[ 5, 11\\)  \\[MASK\\]\n.*decoded: iron iron\n$")
must(${examples}/encode ${work}/model "iron sharpens iron")
must_print("^[0-9]+ tokens x 64\n\\[CLS\\] +length [0-9.]+")
must(${examples}/fill_mask ${work}/model "iron [MASK] iron" "[MASK] [MASK]")
must_print("^iron \\[MASK\\] iron\n(  [01][.][0-9]+ [^ \n]+)+\n\\[MASK\\] \\[MASK\\]\n.*\n.*\n$")
must(${examples}/nearest_sentence ${work}/model ${text} "iron sharpens iron")
must_print("^1.000  iron sharpens iron\n")
must(${examples}/fill_mask ${work}/model "iron [MASK] iron")
set(cpp "${output}")
must(${examples}/fill_mask_c ${work}/model "iron [MASK] iron")
if(NOT output STREQUAL cpp)
  message(FATAL_ERROR "C says ${output}, C++ ${cpp}")
endif()
# The program sets its candidates out differently.
function(must_be_candidates_of expected)
  string(REGEX MATCHALL "  [0-9][0-9.e-]* +[^ \n]+" mine "${output}")
  string(REGEX MATCHALL "  [0-9][0-9.e-]* +[^ \n]+" theirs "${expected}")
  string(REGEX REPLACE "  [0-9][0-9.e-]* +" " " mine "${mine}")
  string(REGEX REPLACE "  [0-9][0-9.e-]* +" " " theirs "${theirs}")
  if(NOT mine STREQUAL theirs OR mine STREQUAL "")
    message(FATAL_ERROR "the program says ${output}, the library ${expected}")
  endif()
endfunction()
must(${prefix}/bin/roformer fill-mask --model ${work}/model --top-k 3 "iron [MASK] iron")
must_be_candidates_of("${cpp}")
must(${examples}/fill_mask_c ${work}/model "iron [MASK] iron" int8)
set(rounded "${output}")
must(${prefix}/bin/roformer fill-mask --model ${work}/model --top-k 3 --dtype int8 "iron [MASK] iron")
must_be_candidates_of("${rounded}")
must(${examples}/four_threads ${work}/model ${text})
must_print("^5 of 5 vectors have the same bits as alone\n$")

# As the program says, to the last character.
function(must_agree)
  cmake_parse_arguments(arg "" "" "LIBRARY;PROGRAM" ${ARGN})
  must(${examples}/${arg_LIBRARY})
  set(library "${output}")
  must(${prefix}/bin/roformer ${arg_PROGRAM})
  if(NOT output STREQUAL library)
    message(FATAL_ERROR "the program says ${output}, the library ${library}")
  endif()
endfunction()
must_agree(LIBRARY similarity ${work}/model "a wise son" "iron sharpens iron"
  PROGRAM similarity --model ${work}/model "a wise son" "iron sharpens iron")
set(words "[PAD]" "[UNK]" "[CLS]" "[SEP]" "[MASK]" a wise son makes glad father soft answer turns away wrath pride goes
  before fall iron sharpens merry)
list(JOIN words "\n" vocabulary)
foreach(name roformer_causal_lm roformer_sequence_single_label)
  file(COPY ${SOURCE}/tests/fixtures/families/${name} DESTINATION ${work})
  file(WRITE ${work}/${name}/vocab.txt "${vocabulary}\n")
endforeach()
must_agree(LIBRARY generate ${work}/roformer_causal_lm "a wise" 8
  PROGRAM generate --model ${work}/roformer_causal_lm --prompt "a wise" --max-new-tokens 8 --temperature 0.8 --top-p 0.95
    --seed 1)
must(${examples}/classify_c ${work}/roformer_sequence_single_label "a wise son")
must_print("^0[.][0-9]+ negative( [*])?\n0[.][0-9]+ neutral( [*])?\n0[.][0-9]+ positive( [*])?\n$")

# Without CMake: the command line of docs/library.md.
find_program(pkg_config NAMES pkg-config pkgconf)
if(pkg_config)
  cmake_path(GET library PARENT_PATH library_directory)
  set(ENV{PKG_CONFIG_PATH} ${library_directory}/pkgconfig)
  must(${pkg_config} --modversion roformer)
  must_print("^[0-9]+[.][0-9]+[.][0-9]+\n$")
  must(${pkg_config} --cflags --libs roformer)
  string(STRIP "${output}" options)
  separate_arguments(options UNIX_COMMAND "${options}")
  must(${pkg_config} --variable=libdir roformer)
  string(STRIP "${output}" directory)
  set(sanitize "")
  if(SANITIZE)
    set(sanitize -fsanitize=${SANITIZE})
  endif()
  must(${CXX} -std=c++20 ${sanitize} ${SOURCE}/examples/fill_mask.cc -o ${work}/fill_mask ${options}
    -Wl,-rpath,${directory})
  must(${work}/fill_mask ${work}/model "iron [MASK] iron")
  if(NOT output STREQUAL cpp)
    message(FATAL_ERROR "built with pkg-config it says ${output}, with CMake ${cpp}")
  endif()
endif()

execute_process(COMMAND ${examples}/fill_mask_c ${work}/nowhere "" RESULT_VARIABLE result ERROR_VARIABLE errors)
if(NOT result EQUAL 1 OR NOT errors MATCHES "nowhere")
  message(FATAL_ERROR "a missing model gave ${result}: ${errors}")
endif()
file(REMOVE_RECURSE ${work})
