/** Asks again until `look` answers something true; fails after so many milliseconds. */
export async function eventually<T>(look: () => T | Promise<T>, within = 5_000): Promise<T> {
  const end = performance.now() + within;
  for (;;) {
    const found = await look();
    if (found) {
      return found;
    }
    if (performance.now() >= end) {
      throw new Error(`not within ${within} ms`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
