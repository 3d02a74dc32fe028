// Channels between users: those of one are nobody else's, those of a group are its members'. Real
// users of the kernel; that takes root, and `setpriv`, which needs no entry in /etc/passwd.

import { assertEquals } from "@std/assert";
import { dirname } from "node:path";
import { createChannel, openChannel } from "../mod.ts";
import { ROOT, runProgram } from "./_support.ts";

/** Ids that no user has: above those of people and services, below those of containers. */
const [ALICE, BOB, EVE, GROUP] = [59_301, 59_302, 59_303, 59_300] as const;

/** Whether users can be changed here, and these run Deno and read the checkout. */
async function canChangeUsers(): Promise<boolean> {
  try {
    const args = ["--reuid", `${EVE}`, "--regid", `${EVE}`, "--clear-groups", "--"];
    const script = ["cat", `${ROOT}mod.ts`];
    const { success } = await new Deno.Command("setpriv", { args: [...args, ...script] }).output();
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

const MAY = await canChangeUsers();
if (!MAY) console.log("users_test.ts: skipped, as it needs root, setpriv and a readable checkout");

/** A directory of Alice's, and what all of them may read. */
class House implements Disposable {
  readonly path = Deno.makeTempDirSync();
  readonly directory = `${this.path}/rings`;

  constructor(mode: number) {
    // That of the whole run may be its user's alone.
    const above = dirname(this.path);
    if ((Deno.statSync(above).mode! & 0o001) === 0) Deno.chmodSync(above, 0o711);
    Deno.chmodSync(this.path, 0o755);
    Deno.mkdirSync(this.directory);
    Deno.chownSync(this.directory, ALICE, GROUP);
    Deno.chmodSync(this.directory, mode);
    Deno.mkdirSync(`${this.path}/cache`);
    Deno.chmodSync(`${this.path}/cache`, 0o1777);
  }

  /** Lets a user do some things. Members of the group have it as a supplementary one. */
  async as(user: number, steps: string[], umask = 0o077): Promise<string[]> {
    const { directory, path } = this;
    const groups = user === EVE ? ["--clear-groups"] : ["--groups", `${GROUP}`];
    // All of Deno's permissions: what is refused here, the kernel or the library refuses.
    const deno = ["run", "--no-prompt", "--no-config", "--no-lock", "--allow-all"];
    const script = `${ROOT}tests/_user_child.ts`;
    const task = JSON.stringify({ directory, group: GROUP, umask, steps });
    const { code, stdout, stderr } = await runProgram("setpriv", [
      ...["--reuid", `${user}`, "--regid", `${user}`, ...groups, "--"],
      ...[Deno.execPath(), ...deno, script, task],
    ], { env: { DENO_DIR: `${path}/cache/${user}`, HOME: path } });
    if (code !== 0) throw new Error(`Cannot run as ${user}: ${stderr}`);
    return JSON.parse(stdout);
  }

  /** Mode, owner and group of a file. */
  stat(name: string): [string, number, number] {
    const { mode, uid, gid } = Deno.lstatSync(`${this.directory}/${name}`);
    return [(mode! & 0o7777).toString(8), uid!, gid!];
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

Deno.test({
  name: "A user's channel is refused to every other user, and a group's is its members'",
  ignore: !MAY,
  async fn() {
    using house = new House(0o750);
    const made = await house.as(ALICE, ["make private", "make shared", "make logged"], 0);
    assertEquals(made, ["make private: done", "make shared: done", "make logged: done"]);
    assertEquals(house.stat("private.ring"), ["600", ALICE, ALICE]);
    assertEquals(house.stat("shared.ring"), ["660", ALICE, GROUP]);
    assertEquals(house.stat("wal/logged"), ["700", ALICE, ALICE]);
    for (const { name } of Deno.readDirSync(`${house.directory}/wal/logged`)) {
      assertEquals(house.stat(`wal/logged/${name}`), ["600", ALICE, ALICE], name);
    }
    assertEquals(await house.as(ALICE, ["make link"]), ["make link: done"]);
    assertEquals(
      await house.as(BOB, [
        ...["open private", "create private", "observe private", "read shared", "write shared"],
        ...["create shared", "observe shared", "read log", "open link", "make own", "list"],
      ]),
      [
        "open private: PermissionDenied",
        "create private: PermissionDenied",
        "observe private: PermissionDenied",
        "read shared: for the group",
        "write shared: 2",
        "create shared: done",
        "observe shared: 2",
        "read log: PermissionDenied",
        "open link: PermissionDenied",
        "make own: PermissionDenied",
        "list: link,logged,private,shared",
      ],
    );
    assertEquals(
      await house.as(EVE, ["open private", "open shared", "observe shared", "list"]),
      [
        "open private: PermissionDenied",
        "open shared: PermissionDenied",
        "observe shared: PermissionDenied",
        "list: PermissionDenied",
      ],
      "whoever is not in the group does not get into the directory",
    );
    // Nor where the directory lets everybody in: the file's own mode is in the way.
    Deno.chmodSync(house.directory, 0o755);
    assertEquals(
      await house.as(EVE, ["open private", "open shared", "observe shared", "remove private"]),
      [
        "open private: PermissionDenied",
        "open shared: PermissionDenied",
        "observe shared: PermissionDenied",
        "remove private: PermissionDenied",
      ],
    );
    using seen = openChannel("private", { directory: house.directory, readOnly: true });
    assertEquals(seen.name, "private", "root may look at everybody's");
  },
});

Deno.test({
  name: "What another user has planted is refused, though the kernel would open it",
  ignore: !MAY,
  async fn() {
    using house = new House(0o770);
    const { directory } = house;
    // Alice's own, in a directory in which Bob may plant files.
    createChannel("mine", { directory: house.path, sizeBytes: 4096 }).close();
    const ring = Deno.readFileSync(`${house.path}/mine.ring`);
    const plant = (name: string, uid: number, mode: number) => {
      Deno.writeFileSync(`${directory}/${name}.ring`, ring);
      Deno.chownSync(`${directory}/${name}.ring`, uid, GROUP);
      Deno.chmodSync(`${directory}/${name}.ring`, mode);
    };
    plant("private", BOB, 0o660); // Readable for Alice, but Bob's, and wider than it says.
    assertEquals(await house.as(ALICE, ["open private", "observe private", "create private"]), [
      "open private: PermissionDenied",
      "observe private: PermissionDenied",
      "create private: PermissionDenied",
    ]);
    plant("private", ALICE, 0o660); // Hers, but wider than a private ring may be.
    assertEquals(await house.as(ALICE, ["open private"]), ["open private: PermissionDenied"]);
    Deno.chmodSync(`${directory}/private.ring`, 0o600);
    Deno.linkSync(`${directory}/private.ring`, `${directory}/second.ring`);
    assertEquals(await house.as(ALICE, ["open private"]), ["open private: PermissionDenied"]);
    Deno.removeSync(`${directory}/second.ring`);
    Deno.chmodSync(directory, 0o777); // Whoever writes here can exchange the file.
    assertEquals(await house.as(ALICE, ["open private", "make own"]), [
      "open private: PermissionDenied",
      "make own: PermissionDenied",
    ]);
  },
});
