// An order of work on a device, marks in it, and work that was recorded to be repeated.
#pragma once

#include <memory>
#include <string>

#include "kernels/memory.h"

namespace adamw {

/// The device's default stream, one of its own, or one that another library made and destroys later than this.
class Stream {
 public:
  enum class Kind { kDefault, kOwn };
  /// Throws NO_DEVICE, CUDA.
  Stream(const std::string& device, Kind kind);
  Stream(const std::string& device, void* handle);

  const Device& device() const { return *device_; }
  void* handle() const { return own_ ? own_->get() : handle_; }
  /// Returns when everything put on it so far is done. Throws what went wrong there.
  void wait() const { device_->wait(handle()); }

 private:
  const Device* device_;
  std::unique_ptr<StreamHandle> own_;
  void* handle_ = nullptr;
};

/// Whoever puts work on a stream keeps it.
using StreamPointer = std::shared_ptr<const Stream>;

/// A mark in the order of a stream.
class Event {
 public:
  explicit Event(StreamPointer stream);

  bool is_done() const { return device().is_done(timer_.get()); }
  void wait() const { device().wait_for_event(timer_.get()); }
  /// What is put on `stream` from now on comes after this.
  void hold(const Stream& stream) const { stream.device().follow(stream.handle(), timer_.get()); }
  /// Milliseconds from `begin` to this; both are done.
  float since(const Event& begin) const { return device().elapsed(begin.timer_.get(), timer_.get()); }

 private:
  const Device& device() const { return stream_->device(); }

  StreamPointer stream_;
  TimerHandle timer_;
};

/// What was put on a stream while it was captured.
class Graph {
 public:
  /// From now on nothing on the stream is done, until finish() or the end of this.
  explicit Graph(StreamPointer stream);
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  void finish();
  void launch() const;

 private:
  StreamPointer stream_;
  bool capturing_;
  void* graph_ = nullptr;
};

}  // namespace adamw
