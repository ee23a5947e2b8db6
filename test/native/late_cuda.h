// A GPU that only copies, for tests of the host's side: memory that the host cannot touch, copies done as late as their
// order allows, and calls that fail when told to. Linked in place of the real devices.
#pragma once

#include <cstdint>

namespace late {

struct Log {
  int64_t bytes_to_host = 0;
  int64_t bytes_to_device = 0;
  int64_t calls = 0;            ///< copies, marks and waits
  int64_t requests = 0;         ///< for memory, streams and events
  int64_t live = 0;             ///< of these, not given back yet
  int64_t under_way = 0;        ///< copies and marks not passed yet
  int64_t failing_call = 0;     ///< the number of the call that fails; 0: none
  int64_t failing_request = 0;  ///< likewise
};

Log& log();

}  // namespace late
