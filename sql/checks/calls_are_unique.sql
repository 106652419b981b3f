-- fail: a call stands in the warehouse twice
select call_id, count(*) as copies
from calls
group by call_id
having count(*) > 1
