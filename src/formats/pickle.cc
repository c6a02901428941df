#include "formats/pickle.h"

#include <algorithm>
#include <unordered_map>

#include "base/error.h"
#include "base/json.h"
#include "formats/byte_reader.h"

namespace roformer {

namespace {

using Kind = PickleNode::Kind;

constexpr size_t kMaxNodes = 4'000'000;
constexpr uint64_t kMaxSteps = 20'000'000;
constexpr size_t kMaxNameBytes = 1000;
constexpr std::string_view kOrderedDict = "collections.OrderedDict";

// The opcodes, under pickletools' names.
enum Opcode : uint8_t {
  kMark = '(',
  kStop = '.',
  kPop = '0',
  kPopMark = '1',
  kDup = '2',
  kBinBytes = 'B',
  kShortBinBytes = 'C',
  kBinFloat = 'G',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersistentId = 'Q',
  kReduce = 'R',
  kBinString = 'T',
  kShortBinString = 'U',
  kBinUnicode = 'X',
  kEmptyList = ']',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kDict = 'd',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kList = 'l',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kEmptyTuple = ')',
  kSetItems = 'u',
  kEmptyDict = '}',
  kProtocol = 0x80,
  kNewObject = 0x81,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
  kLong4 = 0x8b,
  kShortBinUnicode = 0x8c,
  kBinUnicode8 = 0x8d,
  kBinBytes8 = 0x8e,
  kStackGlobal = 0x93,
  kMemoize = 0x94,
  kFrame = 0x95,
};

class Machine {
 public:
  Machine(std::string_view bytes, const FilePath& source, std::span<const std::string_view> allowed,
          std::vector<PickleNode>& nodes)
      : bytes_(bytes), reader_(bytes, source), source_(source), allowed_(allowed), nodes_(nodes) {}

  PickleId run() {
    for (uint64_t step = 0; step < kMaxSteps; ++step) {
      const auto opcode = reader_.number<uint8_t>();
      if (opcode == kStop) return pop();
      execute(opcode);
    }
    fail(fmt::format("takes more than {} steps", kMaxSteps));
  }

  uint64_t at() const { return reader_.at(); }

 private:
  [[noreturn]] void fail(const std::string& reason) const {
    throw DataError("{}: the pickle {} (byte {})", source_, reason, reader_.at());
  }

  void execute(uint8_t opcode) {
    if (push_plain(opcode) || change_container(opcode) || use_memo(opcode)) return;
    switch (opcode) {
      case kProtocol:
        if (const auto protocol = reader_.number<uint8_t>(); protocol < 2 || protocol > 5) {
          fail(fmt::format("has protocol {}, expected 2 to 5", protocol));
        }
        return;
      case kFrame: reader_.number<uint64_t>(); return;  // a read-ahead hint
      case kPop:
        // As in Python, this pops a mark, too.
        if (stack_.size() == floor() && !marks_.empty()) {
          marks_.pop_back();
        } else {
          pop();
        }
        return;
      case kPopMark: pop_to_mark(); return;
      case kDup: push(top()); return;
      case kGlobal: {
        const std::string_view module = line();
        return push_global(module, line());
      }
      case kStackGlobal: {
        const PickleId name = pop(), module = pop();
        if (nodes_[name].kind != Kind::text || nodes_[module].kind != Kind::text)
          fail("names a global by something other than text");
        return push_global(nodes_[module].text, nodes_[name].text);
      }
      case kReduce:
      case kNewObject: return call();
      case kBuild: {
        pop();  // attributes, such as a state_dict's module versions: irrelevant to its tensors
        const Kind kind = nodes_[top()].kind;
        if (kind != Kind::dict && kind != Kind::call) fail("sets attributes of an object without any");
        return;
      }
      case kBinPersistentId: {
        const PickleId identity = pop();
        return push_new({.kind = Kind::persistent, .text = {}, .name = {}, .items = {identity}});
      }
      default: fail(fmt::format("holds opcode 0x{:02x}, which no file of tensors needs", opcode));
    }
  }

  bool push_plain(uint8_t opcode) {
    switch (opcode) {
      case kNone: push_new({}); return true;
      case kNewTrue: push_integer(1, Kind::boolean); return true;
      case kNewFalse: push_integer(0, Kind::boolean); return true;
      case kBinInt: push_integer(reader_.number<int32_t>()); return true;
      case kBinInt1: push_integer(reader_.number<uint8_t>()); return true;
      case kBinInt2: push_integer(reader_.number<uint16_t>()); return true;
      case kLong1: push_long(reader_.read(reader_.number<uint8_t>())); return true;
      case kLong4: push_long(reader_.read(length(reader_.number<int32_t>()))); return true;
      case kBinFloat:
        reader_.read(8);
        push_new({.kind = Kind::real, .text = {}, .name = {}, .items = {}});
        return true;
      case kShortBinString:
      case kShortBinUnicode: push_text(Kind::text, reader_.number<uint8_t>()); return true;
      case kBinString: push_text(Kind::text, length(reader_.number<int32_t>())); return true;
      case kBinUnicode: push_text(Kind::text, reader_.number<uint32_t>()); return true;
      case kBinUnicode8: push_text(Kind::text, reader_.number<uint64_t>()); return true;
      case kShortBinBytes: push_text(Kind::bytes, reader_.number<uint8_t>()); return true;
      case kBinBytes: push_text(Kind::bytes, reader_.number<uint32_t>()); return true;
      case kBinBytes8: push_text(Kind::bytes, reader_.number<uint64_t>()); return true;
      case kEmptyList: push_items(Kind::list, {}); return true;
      case kEmptyTuple: push_items(Kind::tuple, {}); return true;
      case kEmptyDict: push_items(Kind::dict, {}); return true;
      default: return false;
    }
  }

  bool change_container(uint8_t opcode) {
    switch (opcode) {
      case kMark: marks_.push_back(stack_.size()); return true;
      case kList: push_items(Kind::list, pop_to_mark()); return true;
      case kTuple: push_items(Kind::tuple, pop_to_mark()); return true;
      case kDict: push_items(Kind::dict, pop_pairs()); return true;
      case kTuple1: push_items(Kind::tuple, pop_last(1)); return true;
      case kTuple2: push_items(Kind::tuple, pop_last(2)); return true;
      case kTuple3: push_items(Kind::tuple, pop_last(3)); return true;
      case kAppend: extend(Kind::list, pop_last(1)); return true;
      case kAppends: extend(Kind::list, pop_to_mark()); return true;
      case kSetItem: extend(Kind::dict, pop_last(2)); return true;
      case kSetItems: extend(Kind::dict, pop_pairs()); return true;
      default: return false;
    }
  }

  bool use_memo(uint8_t opcode) {
    switch (opcode) {
      case kBinPut: memo_[reader_.number<uint8_t>()] = top(); return true;
      case kLongBinPut: memo_[reader_.number<uint32_t>()] = top(); return true;
      case kMemoize: memo_[static_cast<uint32_t>(memo_.size())] = top(); return true;
      case kBinGet: get(reader_.number<uint8_t>()); return true;
      case kLongBinGet: get(reader_.number<uint32_t>()); return true;
      default: return false;
    }
  }

  void get(uint32_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) fail(fmt::format("uses memo {}, which it never set", key));
    push(found->second);
  }

  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  PickleId top() const {
    if (stack_.size() <= floor()) fail("pops from an empty stack");
    return stack_.back();
  }
  PickleId pop() {
    const PickleId id = top();
    stack_.pop_back();
    return id;
  }
  std::vector<PickleId> pop_last(size_t count) {
    if (stack_.size() - floor() < count) fail("pops from an empty stack");
    std::vector<PickleId> items(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return items;
  }
  std::vector<PickleId> pop_to_mark() {
    if (marks_.empty()) fail("has no mark where it needs one");
    std::vector<PickleId> items = pop_last(stack_.size() - marks_.back());
    marks_.pop_back();
    return items;
  }
  std::vector<PickleId> pop_pairs() {
    std::vector<PickleId> items = pop_to_mark();
    if (items.size() % 2 != 0) fail("gives a dictionary a key without a value");
    return items;
  }

  void push(PickleId id) { stack_.push_back(id); }
  void push_new(PickleNode node) {
    if (nodes_.size() >= kMaxNodes) fail(fmt::format("makes more than {} objects", kMaxNodes));
    nodes_.push_back(std::move(node));
    push(static_cast<PickleId>(nodes_.size() - 1));
  }
  void push_integer(int64_t value, Kind kind = Kind::integer) {
    push_new({.kind = kind, .integer = value, .text = {}, .name = {}, .items = {}});
  }
  void push_items(Kind kind, std::vector<PickleId> items) {
    push_new({.kind = kind, .text = {}, .name = {}, .items = std::move(items)});
  }
  void push_text(Kind kind, uint64_t size) {
    push_new({.kind = kind, .text = reader_.read(size), .name = {}, .items = {}});
  }
  // Two's complement, little-endian, of any length.
  void push_long(std::string_view bytes) {
    if (bytes.size() > sizeof(int64_t)) {
      return push_new({.kind = Kind::big_integer, .text = bytes, .name = {}, .items = {}});
    }
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.size(); ++i) value |= uint64_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
    const bool negative = !bytes.empty() && (bytes.back() & 0x80) != 0;
    if (negative && bytes.size() < sizeof value) value |= ~uint64_t{0} << (8 * bytes.size());
    push_integer(static_cast<int64_t>(value));
  }
  void push_global(std::string_view module, std::string_view name) {
    const std::string full = fmt::format("{}.{}", module.substr(0, kMaxNameBytes), name.substr(0, kMaxNameBytes));
    if (full != kOrderedDict && std::find(allowed_.begin(), allowed_.end(), full) == allowed_.end()) {
      throw DataError(
          "{}: the pickle asks Python for {} (byte {}); only tensors and plain values are read, and nothing was "
          "executed",
          source_, quote(full), reader_.at());
    }
    push_new({.kind = Kind::global, .text = module, .name = name, .items = {}});
  }

  void extend(Kind kind, const std::vector<PickleId>& items) {
    PickleNode& target = nodes_[top()];
    if (target.kind != kind)
      fail(kind == Kind::list ? "appends to something other than a list"
                              : "sets items of something other than a dictionary");
    target.items.insert(target.items.end(), items.begin(), items.end());
  }

  void call() {
    const PickleId arguments = pop(), callee = pop();
    if (nodes_[callee].kind != Kind::global || nodes_[arguments].kind != Kind::tuple) {
      fail("makes a call without a function or an argument tuple");
    }
    if (nodes_[callee].text == "collections") return push_items(Kind::dict, ordered_items(nodes_[arguments]));
    push_items(Kind::call, {callee, arguments});
  }

  // OrderedDict() or, from Python 2, OrderedDict([[key, value], ...]).
  std::vector<PickleId> ordered_items(const PickleNode& arguments) {
    std::vector<PickleId> items;
    if (arguments.items.empty()) return items;
    const PickleNode& list = nodes_[arguments.items[0]];
    if (arguments.items.size() > 1 || list.kind != Kind::list)
      fail("makes an OrderedDict of something other than a list");
    copied_ += list.items.size();  // the same list may be copied any number of times
    if (copied_ > kMaxSteps) fail(fmt::format("copies more than {} objects", kMaxSteps));
    for (const PickleId id : list.items) {
      const PickleNode& pair = nodes_[id];
      if ((pair.kind != Kind::list && pair.kind != Kind::tuple) || pair.items.size() != 2) {
        fail("makes an OrderedDict of something other than pairs");
      }
      items.insert(items.end(), pair.items.begin(), pair.items.end());
    }
    return items;
  }

  std::string_view line() {
    const std::string_view rest = bytes_.substr(reader_.at(), kMaxNameBytes);
    const size_t end = rest.find('\n');
    if (end == rest.npos) fail("has an unterminated global name");
    return reader_.read(end + 1).substr(0, end);
  }
  uint64_t length(int32_t value) const {
    if (value < 0) fail("holds a text of negative length");
    return static_cast<uint64_t>(value);
  }

  std::string_view bytes_;
  ByteReader reader_;
  FilePath source_;
  std::span<const std::string_view> allowed_;
  std::vector<PickleNode>& nodes_;
  std::vector<PickleId> stack_;
  std::vector<size_t> marks_;  // stack heights
  std::unordered_map<uint32_t, PickleId> memo_;
  uint64_t copied_ = 0;
};

}  // namespace

Pickle::Pickle(std::string_view bytes, const FilePath& source, std::span<const std::string_view> allowed) {
  Machine machine(bytes, source, allowed, nodes_);
  root_ = machine.run();
  size_ = machine.at();
}

bool Pickle::is_global(const PickleNode& node, std::string_view full_name) const {
  if (node.kind != Kind::global || full_name.size() != node.text.size() + 1 + node.name.size()) return false;
  return full_name.starts_with(node.text) && full_name[node.text.size()] == '.' && full_name.ends_with(node.name);
}

bool Pickle::is_call(const PickleNode& node, std::string_view full_name) const {
  return node.kind == Kind::call && is_global(nodes_[node.items[0]], full_name);
}

}  // namespace roformer
