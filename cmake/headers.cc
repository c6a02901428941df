// No code: what its target precompiles is there for the files of src/ (CMakeLists.txt).
