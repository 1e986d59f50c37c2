// A client of an execution server in C++17. What it needs, on Debian: apt install g++ libzmq3-dev nlohmann-json3-dev
//   g++ -std=c++17 -O2 client.cpp -o client -lzmq
//   ./client ping | run '{"frames": 8}' | follow ID | cancel ID     (ZR_PORT and ZR_APP name a server)
#include <zmq.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>
#include <string>

using json = nlohmann::json;

class ExecutionClient {
 public:
  ExecutionClient(int port, const std::string& app) : port_(port), context_(zmq_ctx_new(), zmq_ctx_term) {
    folder_ = "ipc://" + std::string(std::getenv("HOME")) + "/." + app + "/ipc/zmq-";
  }

  json request(json message) {  // one socket each: no late reply for the next
    message["protocol"] = 1;
    auto socket = open(ZMQ_REQ, port_ + 1000);
    const auto bytes = json::to_msgpack(message);
    check(zmq_send(socket.get(), bytes.data(), bytes.size(), 0));
    json reply = receive(socket.get(), port_ + 1000);
    if (reply["type"] == "error") throw std::runtime_error(reply["message"].get<std::string>());
    return reply;
  }

  std::string submit(const json& payload) {
    return request({{"type", "execute"}, {"submission_id", new_id()}, {"payload", payload}})["execution_id"];
  }

  // Calls `told` with the events after number `seen`, past and live, each once and in order, up to the last one.
  void follow(const std::string& id, const std::function<void(const json&)>& told, std::uint64_t seen = 0) {
    auto socket = open(ZMQ_SUB, port_);
    for (const std::string& topic : {id, std::string("heartbeat")})
      check(zmq_setsockopt(socket.get(), ZMQ_SUBSCRIBE, topic.data(), topic.size()));
    json latest = json::object();                             // the sequence of the last event of each type
    auto known = std::numeric_limits<std::uint64_t>::max();  // so many events exist; to begin with, ask
    while (true) {
      json batches = json::array();
      if (seen < known) {
        json reply = request({{"type", "events"}, {"execution_id", id}, {"after", seen}});
        known = reply["upto"];
        batches = reply["batches"];
        if (batches.empty()) seen = known;
      } else {
        receive(socket.get(), port_);  // the topic; throws when not even a heartbeat comes
        const json message = receive(socket.get(), port_);
        const std::uint64_t upto = message.value("upto", message.value("positions", json::object()).value(id, seen));
        known = std::max(known, upto);
        if (message.contains("events") && message["after"] <= seen) batches.push_back(message);  // else: ask
      }
      for (const json& batch : batches) {
        const std::uint64_t after = batch["after"], upto = batch["upto"];
        if (upto <= seen) continue;
        const json& events = batch["events"];
        const bool is_whole = events.size() == upto - after;  // if not, some were merged: see `latest`
        for (std::size_t i = is_whole ? seen - after : 0; i < events.size(); ++i) {
          const json& event = events[i];
          auto& last = latest[event["type"].get<std::string>()];
          if (!last.is_null() && event["sequence"] <= last) continue;
          last = event["sequence"];
          told(event);
          if (event["type"] == "state" && has_ended(event["execution"])) return;
        }
        seen = upto;
      }
    }
  }

 private:
  using Socket = std::unique_ptr<void, int (*)(void*)>;

  static void check(int result) {
    if (result < 0) throw std::runtime_error(zmq_strerror(zmq_errno()));
  }
  static bool has_ended(const json& execution) {
    const std::string status = execution["status"];
    return status == "complete" || status == "failed" || status == "cancelled" ||
           (status == "interrupted" && !execution["resumable"].get<bool>());
  }
  static std::string new_id() {
    std::random_device random;
    char text[33];
    for (int i = 0; i < 4; ++i) std::snprintf(text + 8 * i, 9, "%08x", random());
    return text;
  }
  Socket open(int type, int port) {
    Socket socket(zmq_socket(context_.get(), type), zmq_close);
    const int patience = 10000, linger = 0;
    check(zmq_setsockopt(socket.get(), ZMQ_RCVTIMEO, &patience, sizeof patience));
    check(zmq_setsockopt(socket.get(), ZMQ_LINGER, &linger, sizeof linger));
    // For TCP: the address tcp://HOST:PORT, and ZMQ_CURVE_SERVERKEY, ZMQ_CURVE_PUBLICKEY and ZMQ_CURVE_SECRETKEY here
    check(zmq_connect(socket.get(), address(port).c_str()));
    return socket;
  }
  std::string address(int port) const { return folder_ + std::to_string(port) + ".sock"; }
  json receive(void* socket, int port) const {  // a topic is not a message: it becomes null
    zmq_msg_t message;
    zmq_msg_init(&message);
    const int size = zmq_msg_recv(&message, socket, 0);
    if (size < 0 && zmq_errno() == EAGAIN) throw std::runtime_error("no server answers on " + address(port));
    check(size);
    const auto* bytes = static_cast<const std::uint8_t*>(zmq_msg_data(&message));
    json found = zmq_msg_more(&message) ? json() : json::from_msgpack(bytes, bytes + zmq_msg_size(&message));
    zmq_msg_close(&message);
    return found;
  }

  int port_;
  std::string folder_;
  std::unique_ptr<void, int (*)(void*)> context_;
};

int main(int count, char** arguments) try {
  const std::string command = count > 1 ? arguments[1] : "", argument = count > 2 ? arguments[2] : "";
  const bool is_known = command == "run" || command == "follow" || command == "cancel";
  if (command != "ping" && (!is_known || argument.empty()))
    throw std::runtime_error("usage: ./client ping | run JSON | follow ID | cancel ID     (ZR_PORT, ZR_APP)");
  const char *port = std::getenv("ZR_PORT"), *app = std::getenv("ZR_APP");
  ExecutionClient client(port ? std::atoi(port) : 7777, app ? app : "zmqruntime");
  const auto show = [](const json& message) {
    std::cout << message.dump(-1, ' ', false, json::error_handler_t::replace) << std::endl;
  };
  if (command == "ping") show(client.request({{"type", "ping"}}));
  if (command == "cancel") show(client.request({{"type", "cancel"}, {"execution_id", argument}}));
  if (command == "run") client.follow(client.submit(json::parse(argument)), show);
  if (command == "follow") client.follow(argument, show);
} catch (const std::exception& error) {
  std::cerr << "error: " << error.what() << std::endl;
  return 1;
}
