// One request under way, and only the newest wish waits: however fast a slider moves, nothing piles up.

export class Newest {
  #next = null;
  #busy = null;

  /** Do `task` once what is under way is done, unless a newer one comes before that. */
  run(task) {
    this.#next = task;
    this.#busy ??= this.#work();
    return this.#busy;
  }

  async #work() {
    while (this.#next) {
      const task = this.#next;
      this.#next = null;
      await task();
    }
    this.#busy = null;
  }
}
