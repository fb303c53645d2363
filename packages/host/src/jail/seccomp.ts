/**
 * A filter of system calls for a cell, as the kernel takes it: a program of classic BPF (seccomp(2)). It is applied
 * before Node starts, so that what Node needs to start is allowed; what no servlet needs fails with EPERM.
 */

/** Numbers of the calls that are refused, by architecture. From the kernel's tables, which never change. */
interface Architecture {
  /** AUDIT_ARCH_… of linux/audit.h. */
  audit: number;
  clone: number;
  clone3: number;
  prlimit64: number;
  /** Each a list of names and numbers. */
  refused: readonly string[];
}

const X64: Architecture = {
  audit: 0xc000003e,
  clone: 56,
  clone3: 435,
  prlimit64: 302,
  refused: [
    // What its host has limited is not for it to lift.
    'setrlimit 160',
    // Sockets: a cell has the ones that it was born with.
    'socket 41, connect 42, accept 43, bind 49, listen 50, accept4 288',
    // Processes.
    'fork 57, vfork 58, ptrace 101, setpriority 141, sched_setscheduler 144, sched_setparam 142',
    'sched_setattr 314, process_vm_readv 310, process_vm_writev 311, kcmp 312, pidfd_open 434, pidfd_getfd 438',
    'process_madvise 440',
    // The machine.
    'mount 165, umount2 166, pivot_root 155, chroot 161, unshare 272, setns 308, swapon 167, swapoff 168',
    'reboot 169, init_module 175, finit_module 313, delete_module 176, kexec_load 246, kexec_file_load 320',
    'acct 163, quotactl 179, settimeofday 164, clock_settime 227, adjtimex 159, clock_adjtime 305',
    'sethostname 170, setdomainname 171, syslog 103, open_tree 428, move_mount 429, fsopen 430, fsconfig 431',
    'fsmount 432, fspick 433, mount_setattr 442',
    // Where the kernel has had most of its holes.
    'bpf 321, perf_event_open 298, userfaultfd 323, io_uring_setup 425, io_uring_enter 426',
    'io_uring_register 427, add_key 248, request_key 249, keyctl 250, open_by_handle_at 304',
    'name_to_handle_at 303, lookup_dcookie 212, personality 135, vmsplice 278, fanotify_init 300, iopl 172',
    'ioperm 173, modify_ldt 154, shmget 29, msgget 68, semget 64',
  ],
};

const ARM64: Architecture = {
  audit: 0xc00000b7,
  clone: 220,
  clone3: 435,
  prlimit64: 261,
  refused: [
    'setrlimit 164, socket 198, connect 203, accept 202, bind 200, listen 201, accept4 242, ptrace 117, setpriority 140',
    'sched_setscheduler 119, sched_setparam 118, sched_setattr 274, process_vm_readv 270, process_vm_writev 271',
    'kcmp 272, pidfd_open 434, pidfd_getfd 438, process_madvise 440, mount 40, umount2 39, pivot_root 41',
    'chroot 51, unshare 97, setns 268, swapon 224, swapoff 225, reboot 142, init_module 105, finit_module 273',
    'delete_module 106, kexec_load 104, kexec_file_load 294, acct 89, quotactl 60, settimeofday 170',
    'clock_settime 112, adjtimex 171, clock_adjtime 266, sethostname 161, setdomainname 162, syslog 116',
    'open_tree 428, move_mount 429, fsopen 430, fsconfig 431, fsmount 432, fspick 433, mount_setattr 442',
    'bpf 280, perf_event_open 241, userfaultfd 282, io_uring_setup 425, io_uring_enter 426',
    'io_uring_register 427, add_key 217, request_key 218, keyctl 219, open_by_handle_at 265',
    'name_to_handle_at 264, lookup_dcookie 18, personality 92, vmsplice 75, fanotify_init 262, shmget 194',
    'msgget 186, semget 190',
  ],
};

const ARCHITECTURES: Readonly<Record<string, Architecture>> = { x64: X64, arm64: ARM64 };

// linux/bpf_common.h, linux/seccomp.h.
const LOAD_WORD = 0x20;
const JUMP_IF_EQUAL = 0x15;
const JUMP_IF_AT_LEAST = 0x35;
const JUMP_IF_ANY_BIT = 0x45;
const RETURN = 0x06;
const ALLOW = 0x7fff0000;
const KILL_PROCESS = 0x80000000;
const ERRNO = 0x00050000;
const EPERM = 1;
const ENOSYS = 38;
/** Offsets in struct seccomp_data. */
const NUMBER = 0;
const ARCHITECTURE = 4;
const FIRST_ARGUMENT = 16;
const THIRD_ARGUMENT = 32;
const CLONE_THREAD = 0x00010000;
/** Calls of the x32 ABI have this bit in their number. */
const X32 = 0x40000000;

/** The program for this machine's architecture; null where its calls are not known here. */
export function seccompProgram(architecture: string = process.arch): Buffer | null {
  const known = ARCHITECTURES[architecture];
  if (known === undefined) return null;
  const program: [code: number, ifTrue: number, ifFalse: number, value: number][] = [
    [LOAD_WORD, 0, 0, ARCHITECTURE],
    [JUMP_IF_EQUAL, 1, 0, known.audit],
    [RETURN, 0, 0, KILL_PROCESS],
    [LOAD_WORD, 0, 0, NUMBER],
    [JUMP_IF_AT_LEAST, 0, 1, X32],
    [RETURN, 0, 0, ERRNO | EPERM],
  ];
  for (const call of known.refused.join(', ').split(', '))
    program.push([JUMP_IF_EQUAL, 0, 1, Number(call.split(' ')[1])], [RETURN, 0, 0, ERRNO | EPERM]);
  program.push(
    // Limits may be read; a pointer to new ones is refused, both halves of which must be 0.
    [JUMP_IF_EQUAL, 0, 6, known.prlimit64],
    [LOAD_WORD, 0, 0, THIRD_ARGUMENT],
    [JUMP_IF_EQUAL, 0, 2, 0],
    [LOAD_WORD, 0, 0, THIRD_ARGUMENT + 4],
    [JUMP_IF_EQUAL, 1, 0, 0],
    [RETURN, 0, 0, ERRNO | EPERM],
    [RETURN, 0, 0, ALLOW],
    // Its flags lie in memory, where a filter can't look: the C library then uses the old call.
    [JUMP_IF_EQUAL, 0, 1, known.clone3],
    [RETURN, 0, 0, ERRNO | ENOSYS],
    [JUMP_IF_EQUAL, 0, 3, known.clone],
    [LOAD_WORD, 0, 0, FIRST_ARGUMENT],
    [JUMP_IF_ANY_BIT, 1, 0, CLONE_THREAD],
    [RETURN, 0, 0, ERRNO | EPERM],
    [RETURN, 0, 0, ALLOW],
  );
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(([code, ifTrue, ifFalse, value], index) => {
    const at = index * 8;
    // In the machine's order of bytes, which on both is the little-endian one.
    bytes.writeUInt16LE(code, at);
    bytes.writeUInt8(ifTrue, at + 2);
    bytes.writeUInt8(ifFalse, at + 3);
    bytes.writeUInt32LE(value, at + 4);
  });
  return bytes;
}
