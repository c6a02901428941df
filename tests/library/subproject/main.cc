// Prints the version, after an error was thrown by the library and caught here.
#include <roformer/error.h>
#include <roformer/text_model.h>
#include <roformer/version.h>

#include <cstdio>

int main() {
  try {
    roformer::TextModel::open("nowhere");
  } catch (const roformer::Error&) {
    std::printf("%s\n", roformer::version());
    return 0;
  }
  return 1;
}
