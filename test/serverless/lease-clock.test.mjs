// The emulated platform's own books: when a job is queued again, and that it is known
// why. The soak's verdicts hang on these.
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { createPlatform } from "../../tools/platform-emulator/index.mjs";
import { JobBook } from "../../tools/platform-emulator/job-book.mjs";

function leased() {
  const book = new JobBook({ missedPings: 2 }, () => {});
  book.enqueue({ id: "job", input: 1 });
  book.lease("w1", 1);
  return { book, job: book.get("job") };
}

describe("a lease", () => {
  it("holds while each second interval has a ping that names it", () => {
    const { book, job } = leased();
    for (let round = 0; round < 20; round += 1) {
      book.ping("w1", []);
      book.tick();
      book.ping("w1", ["other", "job"]);
      book.tick();
    }
    expect(job.status).toBe("IN_PROGRESS");
  });

  it("ends after two whole intervals whose pings do not name it", () => {
    const { book, job } = leased();
    book.tick();
    book.ping("w1", []);
    book.tick();
    expect(job.status).toBe("IN_PROGRESS");
    book.ping("w1", ["other"]);
    book.tick();
    expect(job.status).toBe("IN_QUEUE");
    expect(job.leases).toMatchObject([{ workerId: "w1", lapsed: true, destroyed: undefined }]);
  });

  it("is not judged by the many pings that a platform finds which did not run for a while", () => {
    const { book, job } = leased();
    for (let late = 0; late < 5; late += 1) book.ping("w1", []);
    book.tick();
    book.ping("w1", ["job"]);
    book.tick();
    book.tick();
    expect(job.status).toBe("IN_PROGRESS");
  });

  it("is judged four times as slowly by intervals that the platform was late for", () => {
    const { book, job } = leased();
    book.tick();
    for (let late = 0; late < 8; late += 1) {
      expect(job.status).toBe("IN_PROGRESS");
      book.ping("w1", []);
      book.tick(late % 2 === 1); // the one after a late one may see old pings too
    }
    expect(job.status).toBe("IN_QUEUE");
  });

  it("ends after ten intervals of silence", () => {
    const { book, job } = leased();
    for (let round = 0; round <= 9; round += 1) book.tick();
    expect(job.status).toBe("IN_PROGRESS");
    book.tick();
    expect(job.status).toBe("IN_QUEUE");
  });

  it("knows what of it was destroyed: by a kill also where it was made after it", () => {
    const { book, job } = leased();
    book.destroy("job", "w2", "result"); // not its worker: nothing of it
    expect(job.leases.at(-1).destroyed).toBeUndefined();
    book.destroy("job", "w1", "result");
    book.kill("w1");
    expect(job.leases.at(-1).destroyed).toBe("result");
    book.enqueue({ id: "late", input: 1 });
    book.lease("w1", 1);
    expect(book.get("late").leases.at(-1).destroyed).toBe("worker");
  });
});

describe("a poll", () => {
  it("whose caller has hung up gets no job, though both come at once", async () => {
    const platform = await createPlatform();
    try {
      const { port } = new URL(platform.url);
      for (let round = 0; round < 20; round += 1) {
        platform.enqueue({ id: `job-${round}`, input: 1 });
        const socket = connect(Number(port), "127.0.0.1");
        const take = "GET /v2/ep/job-take/w1?job_in_progress=0 HTTP/1.1";
        await new Promise((resolve) => socket.on("connect", resolve));
        socket.end(`${take}\r\nHost: x\r\nAuthorization: secret-key\r\n\r\n`);
        socket.resume();
        const end = performance.now() + 500; // the platform does not run meanwhile
        while (round === 0 && performance.now() < end);
        await new Promise((resolve) => socket.on("close", resolve));
        expect(platform.job(`job-${round}`).takes).toBe(0);
      }
      expect(platform.calls("job-take")).toHaveLength(20);
    } finally {
      await platform.close();
    }
  });
});
