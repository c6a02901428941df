// The pages about all commands: what the program says when it is called alone, and the reference, docs/cli.md.
#pragma once

#include <string>

namespace roformer {

std::string overview();
std::string reference();  // Markdown

}  // namespace roformer
