// A file with a line for each line of the input.
#pragma once

#include <string>

#include "cli/text_input.h"

namespace roformer {

class ParallelLines {
 public:
  // `what` names a line of the file in messages: "a translation". DataError if the numbers of lines differ and both can
  // be counted before; UsageError if both are standard input.
  ParallelLines(const TextInput& input, std::string file, std::string what);

  // The line of the input's next line. DataError if there is none.
  std::string next();
  // At the end of the input: DataError if there are more lines.
  void finish();

 private:
  std::string file_, what_;
  TextReader reader_;
};

}  // namespace roformer
