/* The types of an operating system that is never run: run.sh compiles the port with NO_SYS=0, against lwIP's core lock. */
#ifndef ARCH_SYS_ARCH_H
#define ARCH_SYS_ARCH_H

typedef int sys_sem_t, sys_mutex_t, sys_mbox_t, sys_thread_t, sys_prot_t;

#endif
