// The pages about all commands: what the program prints without arguments, and the reference, docs/cli.md.
#pragma once

#include <string>

namespace roformer {

std::string overview();
std::string reference();  // Markdown

}  // namespace roformer
