/*
 * LMDB guard: a failed assertion inside LMDB ends the call, not the process.
 *
 * LMDB asserts what it believes of its file, and aborts where that does not hold: a file that is
 * truncated while it is open is enough. Its callback may not return, so it jumps out of LMDB to
 * where the call began. That environment is good for closing only, which is all that its store does
 * with it; what the call had allocated is lost.
 *
 * In C, as Zig has no function that returns twice. Between both places there are only frames of
 * LMDB and of Zig functions that hold nothing but memory and LMDB's own objects.
 */
#include <setjmp.h>
#include <stddef.h>

static _Thread_local jmp_buf *landing;

/* Calls `work`. Returns 1 when it has returned, 0 when it was left by `mt_lmdb_escape`. */
int mt_lmdb_guard(void (*work)(void *), void *argument)
{
	jmp_buf here;
	jmp_buf *volatile outer = landing;

	if (_setjmp(here)) {
		landing = outer;
		return 0;
	}
	landing = &here;
	work(argument);
	landing = outer;
	return 1;
}

/* Leaves the innermost `mt_lmdb_guard` of this thread. Returns where there is none. */
void mt_lmdb_escape(void)
{
	if (landing != NULL)
		_longjmp(*landing, 1);
}
