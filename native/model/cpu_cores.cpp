#include "model/cpu_cores.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "model/host_limits.h"

namespace infernode {

namespace {

double steady_milliseconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::milli>(now).count();
}

}  // namespace

// Never destroyed: an engine's thread may wait for cores while the process exits.
CpuCores& cpu_cores() {
  static CpuCores& only = *new CpuCores(1, steady_milliseconds);
  only.set_count(usable_cpus());
  return only;
}

CpuCores::CpuCores(int count, Clock clock) : clock_(std::move(clock)), count_(std::max(count, 1)) {}

CpuCores::Member::Member(CpuCores& cores) : cores_(cores) {
  const std::lock_guard lock(cores_.mutex_);
  cores_.members_.push_back(this);
  cores_.queue_.reserve(cores_.members_.size());
  cores_.others_.reserve(cores_.members_.size());
}

CpuCores::Member::~Member() {
  const std::lock_guard lock(cores_.mutex_);
  std::erase(cores_.members_, this);
}

CpuCores::Lease CpuCores::Member::take(int wants, const std::atomic<bool>& interrupted) {
  return {*this, cores_.wait_for_turn(*this, wants, interrupted)};
}

void CpuCores::Member::wake() {
  // By then a waiting pass has checked its flag or is asleep.
  const std::lock_guard lock(cores_.mutex_);
  cores_.changed_.notify_all();
}

bool CpuCores::Member::waits() const {
  const std::lock_guard lock(cores_.mutex_);
  return waits_;
}

CpuCores::Lease::~Lease() {
  if (count_ > 0) member_.cores_.return_cores(member_);
}

int CpuCores::wait_for_turn(Member& member, int wants, const std::atomic<bool>& interrupted) {
  std::unique_lock lock(mutex_);
  member.wants_ = std::max(wants, 1);
  member.waits_ = true;
  queue_.push_back(&member);
  int granted = 0;
  changed_.wait(lock, [&] {
    if (interrupted.load()) return true;
    granted = queue_.front() == &member ? grantable(member) : 0;
    return granted > 0;
  });
  std::erase(queue_, &member);
  member.waits_ = false;
  member.held_ = granted;
  member.began_ = clock_();
  changed_.notify_all();  // another pass is first now
  return granted;
}

void CpuCores::return_cores(Member& member) {
  const std::lock_guard lock(mutex_);
  member.held_ = 0;
  member.ended_ = clock_();
  changed_.notify_all();
}

void CpuCores::set_count(int count) {
  const std::lock_guard lock(mutex_);
  count_ = std::max(count, 1);
  changed_.notify_all();
}

int CpuCores::count() const {
  const std::lock_guard lock(mutex_);
  return count_;
}

int CpuCores::free() const {
  int left = count_;
  for (const Member* member : members_) left -= member->held_;
  return left;
}

bool CpuCores::is_busy(const Member& member) const {
  if (member.held_ > 0 || member.waits_) return true;
  if (!member.ended_) return false;
  const double pass = *member.ended_ - member.began_;
  const double pause = std::clamp(pass, kPauseMilliseconds, kLongestPauseMilliseconds);
  return clock_() - *member.ended_ < pause;
}

// A member that wants less than an equal share gets what it wants, the others divide the rest. The
// remainder of the division goes to the first in the queue, but never the share of a member that is
// about to compute.
int CpuCores::grantable(const Member& member) const {
  others_.clear();
  for (const Member* other : members_) {
    if (other != &member && is_busy(*other)) others_.push_back(other);
  }
  std::ranges::sort(others_, {}, &Member::wants_);
  int left = count_;
  int parts = static_cast<int>(others_.size()) + 1;
  for (const Member* other : others_) {
    if (other->wants_ * parts > left) break;
    left -= other->wants_;
    --parts;
  }
  const int part = std::max(left / parts, 1);
  const int least = std::min(member.wants_, part);
  const int most = std::min(member.wants_, std::max((left + parts - 1) / parts, 1));
  const int now = free();
  int kept = 0;
  for (const Member* other : others_) kept += other->held_ > 0 ? 0 : std::min(other->wants_, part);
  return now < least ? 0 : std::max(least, std::min(most, now - kept));
}

}  // namespace infernode
