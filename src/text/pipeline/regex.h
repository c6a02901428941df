// Regular expressions by Oniguruma, with the syntax and options of Hugging Face's tokenizers. Expressions come from
// untrusted files: what one may cost is bounded, and beyond that is an error. Const functions are thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace roformer {

class Regex {
 public:
  // DataError with Oniguruma's reason; `where` starts it and those of find().
  Regex(std::string expression, std::string where);

  // The matches in a text, one after the other; a match of nothing right behind another is left out.
  class Matches {
   public:
    Matches(const Regex& regex, std::string_view text);
    ~Matches();
    Matches(const Matches&) = delete;
    Matches& operator=(const Matches&) = delete;
    // The bytes [begin, end) of the next match; false if there is none. DataError if looking for it took too much.
    bool next(size_t& begin, size_t& end);

   private:
    struct Search;
    const Regex& regex_;
    std::string_view text_;
    std::unique_ptr<Search> search_;
    size_t from_ = 0;
    size_t last_end_ = std::string_view::npos;  // of the match before
  };

 private:
  struct Compiled;
  std::string expression_, where_;
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace roformer
