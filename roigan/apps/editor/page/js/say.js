// What has happened, for eyes and screen readers: one line, and errors beside it.

const line = document.getElementById("status");

export function say(text) {
  line.textContent = text;
  line.classList.remove("error");
}

export function complain(error) {
  line.textContent = error.message;
  line.classList.add("error");
}

let busy = 0;

/** Whether something is under way that was begun by `attempt`. */
export const isBusy = () => busy > 0;

/** Runs what may be refused, and says so where it is. */
export async function attempt(work) {
  busy++;
  document.body.setAttribute("aria-busy", "true");
  try {
    return await work();
  } catch (error) {
    complain(error);
    return undefined;
  } finally {
    if (!--busy) document.body.removeAttribute("aria-busy");
  }
}
