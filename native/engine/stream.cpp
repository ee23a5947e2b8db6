#include "stream.h"

#include <utility>

#include "kernels/devices.h"

namespace adamw {

Stream::Stream(const std::string& device, Kind kind)
    : device_(&find_device(device)), own_(kind == Kind::kOwn ? std::make_unique<StreamHandle>(*device_) : nullptr) {}

Stream::Stream(const std::string& device, void* handle) : device_(&find_device(device)), handle_(handle) {}

Event::Event(StreamPointer stream) : stream_(std::move(stream)), timer_(stream_->device()) {
  device().record(timer_.get(), stream_->handle());
}

Graph::Graph(StreamPointer stream) : stream_(std::move(stream)), capturing_(true) {
  stream_->device().begin_capture(stream_->handle());
}

Graph::~Graph() {
  try {
    if (capturing_) finish();
  } catch (const Error&) {
    // What was captured is not wanted any more.
  }
  if (graph_ != nullptr) stream_->device().destroy_graph(graph_);
}

void Graph::finish() {
  capturing_ = false;
  graph_ = stream_->device().end_capture(stream_->handle());
}

void Graph::launch() const { stream_->device().launch_graph(graph_, stream_->handle()); }

}  // namespace adamw
