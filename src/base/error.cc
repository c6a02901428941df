#include "base/error.h"

namespace roformer {

Error::Error(ErrorKind kind, std::shared_ptr<const Content> content)
    : std::runtime_error(content->message), kind_(kind), content_(std::move(content)) {}
Error::Error(const Error&) noexcept = default;
Error& Error::operator=(const Error&) noexcept = default;
Error::~Error() = default;

const ErrorDetail& Error::detail() const noexcept { return content_->detail; }

std::string Error::message(const std::function<std::string(const std::string& field)>& spell) const {
  std::string text;
  size_t end = 0;
  for (const auto& [begin, length] : content_->fields) {
    text.append(content_->message, end, begin - end);
    text += spell(content_->message.substr(begin, length));
    end = begin + length;
  }
  return text.append(content_->message, end);
}

std::shared_ptr<const Error::Content> Error::Content::make(std::string message, std::string_view blanked,
                                                           const std::vector<std::string>& names, ErrorDetail detail) {
  auto content = std::make_shared<Content>();
  size_t end = 0;
  for (const std::string& name : names) {
    while (end < message.size() && message[end] == blanked[end]) ++end;
    content->fields.push_back({end, name.size()});
    end += name.size();
  }
  content->message = std::move(message);
  content->detail = std::move(detail);
  return content;
}

std::shared_ptr<const Error::Content> Error::Content::prefixed(std::string_view prefix) const {
  auto content = std::make_shared<Content>(*this);
  content->message.insert(0, prefix);
  for (Mention& field : content->fields) field.begin += prefix.size();
  return content;
}

}  // namespace roformer
