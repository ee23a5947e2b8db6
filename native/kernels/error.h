// Failures of the machine (memory, devices) and of the call (unknown device). Never thrown for numbers.
#pragma once

#include <stdexcept>
#include <string>

namespace adamw {

/// `code` is one of the codes of lib/errors.ts.
struct Error : std::runtime_error {
  Error(const char* error_code, const std::string& message) : std::runtime_error(message), code(error_code) {}
  const char* code;
};

}  // namespace adamw
