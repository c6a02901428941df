// Texts as arguments: the library's own type, so that texts of its users reach the tokenizer without a copy.
#pragma once

#include "roformer/texts.h"
