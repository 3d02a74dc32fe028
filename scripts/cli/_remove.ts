/**
 * `mt remove` and `mt remove-consumer`.
 *
 * @module
 */

import { NoSpaceError, openChannel, removeChannel, removeConsumer } from "../../mod.ts";
import { ScriptError, UsageError } from "../_command.ts";
import { jsonText } from "../_output.ts";
import { useOf } from "./_clean.ts";
import { placeOf, type PlaceOptions, withHint } from "./_frame.ts";

/** Removes a channel's file. */
export function remove(name: string, options: PlaceOptions): void {
  let users = "";
  attempt(() => {
    ({ users } = useOf(name, placeOf(options)));
    removeChannel(name, placeOf(options));
  });
  const still = users === "" ? "" : `, ${users}, who go on among themselves: end them`;
  say(options, { removed: name }, `Removed channel "${name}"${still}`);
}

/** Removes a consumer for good. */
export function removeConsumerOf(name: string, consumer: string, options: PlaceOptions): void {
  attempt(() => {
    using channel = openChannel(name, { ...placeOf(options), prefault: false });
    removeConsumer(channel, consumer);
  });
  const text = `Removed consumer "${consumer}" of channel "${name}"`;
  say(options, { removed: consumer, channel: name }, text);
}

/** What stands in the way is told in a line. */
function attempt(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message);
    if (OBSTACLES.some((kind) => error instanceof kind)) {
      throw new ScriptError(withHint(error as Error));
    }
    throw error;
  }
}

const OBSTACLES = [
  Deno.errors.NotFound,
  Deno.errors.PermissionDenied,
  Deno.errors.Busy,
  NoSpaceError,
];

function say({ json }: PlaceOptions, event: object, text: string): void {
  console.log(json ? jsonText(event) : text);
}
