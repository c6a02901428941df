# find_package(roformer) gives the target roformer::roformer. It depends on no other package.
include(${CMAKE_CURRENT_LIST_DIR}/roformerTargets.cmake)
