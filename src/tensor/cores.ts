import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Physical cores, not counting hyper-threads; never more than this process may use. */
export function physicalCores(): number {
  const allowed = Math.min(availableParallelism(), containerLimit());
  try {
    if (process.platform === 'darwin') {
      const text = execFileSync('sysctl', ['-n', 'hw.physicalcpu'], { encoding: 'utf8' });
      return Math.max(1, Math.min(allowed, Number(text)));
    }
    const folder = '/sys/devices/system/cpu';
    const cores = new Set<string>();
    for (const name of readdirSync(folder)) {
      if (!/^cpu\d+$/.test(name)) continue;
      try {
        cores.add(readFileSync(`${folder}/${name}/topology/thread_siblings_list`, 'utf8').trim());
      } catch {
        // An offline core has no topology.
      }
    }
    return cores.size > 0 ? Math.min(cores.size, allowed) : allowed;
  } catch {
    return allowed;
  }
}

/** Whole cores that a container's quota leaves us. */
function containerLimit(): number {
  try {
    const [quota, period] = readFileSync('/sys/fs/cgroup/cpu.max', 'utf8').trim().split(' ');
    return quota === 'max' ? Infinity : Math.max(1, Math.floor(Number(quota) / Number(period)));
  } catch {
    return Infinity;
  }
}
