/**
 * Part of a load's program: `every` does something so many times a second, and `resolve` waits for the address of HOST.
 * Uses `dns`, TICK_MS and BURST of the program around it.
 */
export const STEADY_PACE = `
const every = (perSecond, act) => {
  const startMs = performance.now();
  let done = 0;
  setInterval(() => {
    const due = Math.floor(((performance.now() - startMs) * perSecond) / 1000) - done;
    // Of a stall of this process only so much is made up for at once.
    for (let count = 0; count < Math.min(due, BURST); count += 1) act();
    done += due;
  }, TICK_MS);
};

const resolve = async () => {
  for (;;) {
    try {
      return (await dns.lookup(HOST, 4)).address;
    } catch {
      await new Promise((done) => setTimeout(done, 200));
    }
  }
};
`;
