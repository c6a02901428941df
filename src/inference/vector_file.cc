#include "inference/vector_file.h"

#include <bit>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"

namespace roformer {

namespace {

static_assert(std::endian::native == std::endian::little, "both formats are little-endian");

// Large enough for any count, and aligns the data of both formats.
constexpr size_t kHeaderBytes = 128;

bool is_numpy(const std::string& path) {
  if (path.ends_with(".npy")) return true;
  if (path.ends_with(".safetensors")) return false;
  throw UsageError("{} '{}': expected a name that ends in .npy or .safetensors", FieldName("output"), path);
}

// The file that a link names.
std::string regular(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const auto kind = fs::status(path, ignored).type();
  if (kind != fs::file_type::not_found && kind != fs::file_type::regular) {
    throw FileError("cannot write '{}': not a regular file, and its header is written last", FilePath(path));
  }
  if (fs::symlink_status(path, ignored).type() != fs::file_type::symlink) return path;
  const fs::path resolved = fs::weakly_canonical(path, ignored);
  return ignored ? path : resolved.string();
}

int64_t size_of(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  return error ? -1 : static_cast<int64_t>(size);
}

int64_t bytes_of(int64_t vectors, int64_t length) {
  return static_cast<int64_t>(kHeaderBytes) + vectors * length * static_cast<int64_t>(sizeof(float));
}

void remove_file(const std::string& path) {
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
}

// "pooling was cls, now mean".
std::string difference(const JsonObject& before, const VectorFile::Settings& now) {
  std::string text;
  for (const auto& [name, value] : now) {
    const std::string old = before.get_string(name, "");
    if (old != value)
      text += fmt::format("{}{} was {}, now {}", text.empty() ? "" : "; ", name, quote(old), quote(value));
  }
  return text;
}

}  // namespace

VectorFile::VectorFile(const std::string& path, int64_t length, Settings settings, double interval)
    : target_(regular(path)),
      numpy_(is_numpy(path)),
      length_(length),
      settings_(std::move(settings)),
      interval_(interval),
      last_(now_seconds()) {
  settings_["dimensions"] = std::to_string(length);
  if (continue_run()) return;
  if (!lock_) lock_partial();
  remove_file(progress_path());
  writer_ = std::make_unique<FileWriter>(partial_path());
  writer_->write(header());
}

VectorFile::~VectorFile() {
  if (writer_ != nullptr && !progress_written_) remove_file(partial_path());
}

void VectorFile::lock_partial() {
  lock_.emplace(partial_path(), FileError("another run is writing '{}'; wait until it ends", FilePath(target_)));
}

bool VectorFile::continue_run() {
  if (!exists(progress_path())) return false;
  const JsonObject file = JsonObject::read(progress_path());
  const bool stopped = file.get_bool("stopped", false);
  const std::string data = stopped && exists(target_) ? target_ : partial_path();
  const int64_t rows = file.get_int("vectors", std::nullopt, 0, int64_t{1} << 40);
  const std::string differing = difference(file.get_object("settings"), settings_);
  if (!differing.empty()) {
    throw UsageError("{}: an unfinished run began it with other settings: {}; use them, or another {}, or remove '{}'",
                     target_, differing, FieldName("output"), progress_path());
  }
  if (data == partial_path()) lock_partial();
  if (size_of(data) < bytes_of(rows, length_)) return false;  // moved away, or of another run
  progress_ = {.items = file.get_int("items", std::nullopt, 0),
               .input = file.get_string("input", std::nullopt),
               .malformed = file.get_int("malformed", std::nullopt, 0),
               .first_malformed = {},
               .on_error = file.get_string("on_error", "")};
  for (const Json& number : file.value().value("first_malformed", Json::array())) {
    if (number.is_number_integer()) progress_.first_malformed.push_back(number.get<int64_t>());
  }
  if (data == target_) {
    rename_file(target_, partial_path());
    lock_partial();
  }
  std::error_code error;
  std::filesystem::resize_file(partial_path(), static_cast<uintmax_t>(bytes_of(rows, length_)), error);
  if (error) throw FileError("cannot write '{}': {}", FilePath(partial_path()), error.message());
  writer_ = std::make_unique<FileWriter>(partial_path(), FileWriter::Mode::extend);
  count_ = marked_ = rows;
  progress_written_ = true;
  return true;
}

std::string VectorFile::header() const {
  std::string begin, text;
  if (numpy_) {
    begin = std::string("\x93NUMPY\x01\x00\x76\x00", 10);  // version 1.0, 118 bytes of text
    text = fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", count_, length_);
  } else {
    begin = std::string("\x78\0\0\0\0\0\0\0", 8);  // 120 bytes of JSON
    text = fmt::format(R"({{"embeddings":{{"dtype":"F32","shape":[{},{}],"data_offsets":[0,{}]}}}})", count_, length_,
                       count_ * length_ * static_cast<int64_t>(sizeof(float)));
  }
  text.resize(kHeaderBytes - begin.size(), ' ');
  if (numpy_) text.back() = '\n';
  return begin + text;
}

void VectorFile::append(std::span<const float> vector) {
  if (std::ssize(vector) != length_) {
    throw ShapeError("a vector of {} elements for a file of vectors of {}", vector.size(), length_);
  }
  writer_->write(vector.data(), static_cast<int64_t>(vector.size_bytes()));
  ++count_;
}

void VectorFile::mark(const VectorProgress& progress) {
  progress_ = progress;
  marked_ = count_;
  const double now = now_seconds();
  if (now - last_ < interval_) return;
  writer_->sync();
  write_progress(false);
  last_ = now;
}

void VectorFile::write_progress(bool stopped) {
  const Json content = {{"items", progress_.items},
                        {"input", progress_.input},
                        {"vectors", marked_},
                        {"malformed", progress_.malformed},
                        {"first_malformed", progress_.first_malformed},
                        {"on_error", progress_.on_error},
                        {"settings", settings_},
                        {"stopped", stopped}};
  write_file_atomically(progress_path(), content.dump(2) + "\n");
  progress_written_ = true;
}

// The header, and the name.
void VectorFile::finish() {
  writer_->overwrite(0, header());
  writer_->sync();
  writer_->close();
  if (size_of(partial_path()) != bytes_of(count_, length_)) {
    throw FileError("'{}' does not hold the {} vectors written to it; does another run use it?",
                    FilePath(partial_path()), count_);
  }
  rename_file(partial_path(), target_);
  writer_.reset();
  lock_.reset();
  fsync_directory(parent_directory(target_));
}

void VectorFile::stop() {
  if (count_ == 0) {
    remove_file(progress_path());
    progress_written_ = false;
    return;
  }
  writer_->sync();
  write_progress(false);
  finish();
  write_progress(true);
}

void VectorFile::commit() {
  finish();
  remove_file(progress_path());
}

}  // namespace roformer
