import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { inLanes, TaskThread } from '../../src/frames/worker.ts';

interface Result { readonly task: string; readonly data: Float32Array }

describe('a thread', () => {
  const file = new URL('./worker-fixture.ts', import.meta.url);
  const thread = new TaskThread<string, Result>(file);
  after(() => thread.end());

  it('does task after task, an error between them', async () => {
    const first = await thread.run('a');
    assert.deepEqual(first, { task: 'a', data: new Float32Array([1, 2, 3]) });
    await assert.rejects(thread.run('defect'), (error) => error instanceof TypeError && error.message === 'x is undefined');
    await assert.rejects(thread.run('missing'), { code: 'ENOENT', path: '/no/such/file', syscall: 'open' });
    assert.equal((await thread.run('b')).task, 'b');
  });

  it('that ends fails its task', async () => {
    const slow = assert.rejects(thread.run('slow'), /^Error: a thread ended before its task was done$/);
    await thread.end();
    await slow;
    const exiting = new TaskThread<string, Result>(file);
    await assert.rejects(exiting.run('exit'), /a thread ended/);
  });
});

describe('lanes', () => {
  it('do everything once, each lane one thing at a time', async () => {
    const [begun, busy] = [[] as number[], new Set<number>()];
    await inLanes(7, 3, async (index, lane) => {
      assert.ok(lane < 3 && !busy.has(lane));
      busy.add(lane);
      begun.push(index);
      await sleep(index % 3);
      busy.delete(lane);
    });
    assert.deepEqual(begun, [0, 1, 2, 3, 4, 5, 6]);
  });

  it('finish what is under way when one fails or a stop is asked for, and begin nothing', async () => {
    const ended: number[] = [];
    const work = async (index: number) => {
      await sleep(index === 0 ? 1 : 30);
      if (index === 0) throw new Error('the first');
      ended.push(index);
    };
    await assert.rejects(inLanes(9, 3, work), /the first/);
    assert.deepEqual(ended, [1, 2]);
    let begun = 0;
    await inLanes(9, 2, async () => void begun++, () => begun >= 4);
    assert.equal(begun, 4);
  });
});
